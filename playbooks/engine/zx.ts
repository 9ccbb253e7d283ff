/** The package zx as muster itself uses it, for the playbooks of users: they are loaded from folders where it is not installed. */
export * from "zx";
