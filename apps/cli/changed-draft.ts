// A run's draft with some of its fields set from the command line: "outer.momentum=0.9", "outer.codec={\"name\":\"e3m0\"}".
import * as z from "zod/mini";
import { draftSchema, type RunDraft } from "#wire";
import { SpecError } from "../host/load-run.ts";

/** A copy of the draft, or of some of its parts, with each "path=value" applied (without a value the field goes); whether it is still a run is for the schema to say. */
export function changedDraft(draft: Partial<RunDraft>, set: readonly string[]): unknown {
  const copy: unknown = structuredClone(draft);
  for (const assignment of set) {
    const [path = "", value = ""] = assignment.split("=", 2);
    const names = path.split(".");
    const last = names.pop()!;
    const place = names.reduce((at: unknown, name) => (at as Record<string, unknown> | undefined)?.[name], copy);
    if (typeof place !== "object" || place === null || !(Object.hasOwn(place, last) || isField(path)))
      throw new SpecError(`${assignment}: the spec has no field "${path}"; for example outer.momentum=0.9`);
    if (value === "") delete (place as Record<string, unknown>)[last];
    else (place as Record<string, unknown>)[last] = jsonOrText(value);
  }
  return copy;
}

/** Whether a spec may have it, though this one does not. */
function isField(path: string): boolean {
  type Node = { readonly properties?: Readonly<Record<string, Node>> } | undefined;
  const schema = z.toJSONSchema(draftSchema, { unrepresentable: "any" }) as Node;
  return path.split(".").reduce((at: Node, name) => at?.properties?.[name], schema) !== undefined;
}

/** JSON where it is JSON, else the text itself. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
