// Who takes part in a comparison: methods by name, and variants of them, whose name is the person's own.
//
//   "diloco"      "4-bit=diloco outer.codec={\"name\":\"e3m0\"} outer.blockSize="
import type { Method } from "#outer";
import { methodOf, SpecError } from "../../host/load-run.ts";
import { changedDraft } from "../changed-draft.ts";

/** "NAME=METHOD FIELD=VALUE …": the method with fields of its spec set; a field without a value goes. @throws SpecError */
export function variantFrom(text: string): Method {
  const [, name = "", base = "", rest = ""] = /^([\w.+-]+)=([\w-]+)((?: \S+=\S*)*)$/.exec(text.trim()) ?? [];
  if (name === "")
    throw new SpecError(`"${text}" is no variant; for example "slow=diloco outer.learningRate=0.4 outer.momentum=0.9"`);
  const method = methodOf(base);
  const set = rest.split(" ").filter((assignment) => assignment !== "");
  return {
    ...method,
    name,
    title: name,
    compose: ({ inner, outer, rounds }) =>
      changedDraft({ inner, outer, rounds, ...method.compose({ inner, outer, rounds }) }, set) as ReturnType<
        Method["compose"]
      >,
  };
}
