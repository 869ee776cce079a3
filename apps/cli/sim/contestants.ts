// Who takes part in a comparison: methods by name, and variants of them, whose name is the person's own.
//
//   "diloco"      "4-bit=diloco outer.codec={\"name\":\"e3m0\"} outer.blockSize="
import { type Method, methods } from "#outer";
import { SpecError } from "../../host/load-run.ts";
import { changedDraft } from "../changed-draft.ts";

/** @throws SpecError that lists the methods */
export function methodOf(name: string): Method {
  const found = methods.find((method) => method.name === name);
  if (found === undefined)
    throw new SpecError(`There is no method "${name}"; there are ${methods.map((method) => method.name).join(", ")}.`);
  return found;
}

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
