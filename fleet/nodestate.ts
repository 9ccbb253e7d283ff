import type { Git, Lines, Modules, Mounts, PackageSources, Packages, Services, Templates } from "../schemas/types.js";

export type WantedPackageSource = PackageSources[string];
export type WantedPackage = Packages[string];
export type WantedUnit = Services[string];
export type WantedModule = Omit<Modules[string], "options"> & { options?: Readonly<Record<string, string>> };
export type WantedMount = Mounts[string];
export type WantedCheckout = Git[string];
export type WantedLine = Lines[string][number];
export type WantedTemplate = Templates[string];

/** The ROCm of a node. What is undefined stays as it is there. */
export interface WantedRocm {
  /** A release of the packages. */
  readonly release?: string;
  readonly packages: readonly string[];
  /** A release of the kernel driver amdgpu-dkms; undefined: the kernel's own driver. */
  readonly driver?: string;
  /** Where packages come from; undefined: none are wanted. */
  readonly source?: Readonly<{ repository: string; suite: string; key: string; fingerprint: string }>;
  readonly hold: boolean;
}

/** The NVIDIA driver of a node. What is undefined stays as it is there. */
export interface WantedNvidia {
  /** A branch: "550". */
  readonly driver?: string;
  readonly packages: readonly string[];
  readonly hold: boolean;
}

/** A value of templates: a text, or where a secret comes from. */
export type TemplateValue =
  | Readonly<{ kind: "text"; text: string }>
  | Readonly<{ kind: "env"; name: string }>
  | Readonly<{ kind: "file"; path: string }>
  | Readonly<{ kind: "command"; argv: readonly string[] }>;

/** The state that a node must be in, as the inventory declares it: each by name. Paths of local files are absolute. */
export interface NodeState {
  readonly packageSources: Readonly<Record<string, WantedPackageSource>>;
  readonly packages: Readonly<Record<string, WantedPackage>>;
  readonly services: Readonly<Record<string, WantedUnit>>;
  /** Members by group. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  readonly modules: Readonly<Record<string, WantedModule>>;
  readonly mounts: Readonly<Record<string, WantedMount>>;
  readonly git: Readonly<Record<string, WantedCheckout>>;
  readonly lines: Readonly<Record<string, readonly WantedLine[]>>;
  readonly templates: Readonly<Record<string, WantedTemplate>>;
  readonly values: Readonly<Record<string, TemplateValue>>;
  readonly rocm: WantedRocm;
  readonly nvidia: WantedNvidia;
}

export const NO_STATE: NodeState = {
  packageSources: {},
  packages: {},
  services: {},
  groups: {},
  modules: {},
  mounts: {},
  git: {},
  lines: {},
  templates: {},
  values: {},
  rocm: { packages: [], hold: true },
  nvidia: { packages: [], hold: true },
};
