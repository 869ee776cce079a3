// What a check of a kernel says: how far each tensor that it made is from the reference's.
import { relativeError } from "../reference/index.ts";

export interface Check {
  readonly kernel: string;
  readonly tensor: string;
  /** ||own − truth|| / ||truth||; NaN when the kernel left something unwritten. */
  readonly error: number;
  readonly allowed: number;
}

export const compare = (
  kernel: { readonly label: string },
  tensor: string,
  own: ArrayLike<number>,
  truth: ArrayLike<number>,
  allowed: number,
): Check => ({ kernel: kernel.label, tensor, error: relativeError(own, truth), allowed });

/** Also where the error is NaN. */
export const fails = ({ error, allowed }: Check): boolean => !(error <= allowed);

/** What must be zero, or any other exact value: the share of elements that are not. */
export function exactly(
  kernel: { readonly label: string },
  tensor: string,
  own: ArrayLike<number>,
  value: number,
): Check {
  let wrong = 0;
  for (let i = 0; i < own.length; i++) if (own[i] !== value) wrong++;
  return { kernel: kernel.label, tensor, error: own.length === 0 ? 0 : wrong / own.length, allowed: 0 };
}

/** a + b, for what accumulates. */
export const plus = (a: ArrayLike<number>, b: ArrayLike<number>): number[] => Array.from(a, (x, i) => x + b[i]);
