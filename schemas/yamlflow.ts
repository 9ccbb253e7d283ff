import { stringify } from "yaml";

/** Returns a value as YAML on one line, e.g. `{host: 10.0.0.4, port: 22}`; texts are quoted where they have to be. */
export function formatFlowYaml(value: unknown): string {
  return stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: false }).trim();
}
