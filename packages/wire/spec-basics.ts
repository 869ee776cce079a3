// What the parts of the run spec's schema are made of.
import * as z from "zod/mini";

export const text = (max: number) => z.string().check(z.trim(), z.minLength(1), z.maxLength(max));
export const positive = z.number().check(z.positive());
export const count = (max: number) => z.int().check(z.minimum(1), z.maximum(max));
