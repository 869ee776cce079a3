// The run spec's reference, from its schema: what `run reference` prints, and docs/RESEARCH.md holds.
import * as z from "zod/mini";
import { draftSchema } from "#wire";

/** The parts of JSON Schema that the spec uses. */
interface Node {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly required?: readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly maxLength?: number;
}

/** A Markdown table: field, values, meaning. */
export function specReference(): string[] {
  const schema = z.toJSONSchema(draftSchema, { unrepresentable: "any", io: "input" }) as Node;
  return ["| field | values | meaning |", "| --- | --- | --- |", ...rowsOf(schema, "")];
}

function rowsOf({ properties = {}, required = [] }: Node, above: string): string[] {
  return Object.entries(properties).flatMap(([name, node]) => {
    const field = above + name;
    const optional = required.includes(name) ? "" : ", optional";
    if (node.properties && node.description === undefined) return rowsOf(node, `${field}.`);
    return [`| `.concat("`", field, "`", ` | ${valuesOf(node)}${optional} | ${node.description ?? ""} |`)];
  });
}

function valuesOf(node: Node): string {
  const { type, anyOf, oneOf, properties, items } = node;
  if (node.const !== undefined) return code(node.const);
  if (node.enum) return node.enum.map(code).join(", ");
  const either = anyOf ?? oneOf;
  if (either) return either.map(valuesOf).join("; ");
  if (items) return `[${valuesOf(items)}, …]`;
  if (properties)
    return `{${Object.entries(properties)
      .map(([name, each]) => `${name}${node.required?.includes(name) ? "" : "?"}: ${valuesOf(each)}`)
      .join(", ")}}`;
  if (type === "boolean") return "`true`, `false`";
  if (type === "string") return node.maxLength === undefined ? "text" : `text, at most ${node.maxLength} characters`;
  return `${type === "integer" ? "whole" : "number"}${boundsOf(node)}`;
}

function boundsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }: Node): string {
  const low =
    minimum !== undefined ? ` from ${minimum}` : exclusiveMinimum !== undefined ? ` above ${exclusiveMinimum}` : "";
  const isOpen = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER;
  const high = !isOpen ? ` to ${maximum}` : exclusiveMaximum !== undefined ? ` below ${exclusiveMaximum}` : "";
  return `${low}${high}${multipleOf === undefined ? "" : `, a multiple of ${multipleOf}`}`;
}

const code = (value: unknown): string => `\`${JSON.stringify(value)}\``;
