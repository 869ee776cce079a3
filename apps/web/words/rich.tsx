// A sentence of the catalogue with elements in it: "{link}: that needs no GPU." and what {link} is.
import { Fragment, type ReactNode } from "react";

export const Rich = ({ text, ...parts }: { readonly text: string } & Readonly<Record<string, ReactNode>>) =>
  text
    .split(/\{(\w+)\}/)
    // biome-ignore lint/suspicious/noArrayIndexKey: a sentence's parts have no other name, and never change places
    .map((part, i) => <Fragment key={i}>{i % 2 === 1 ? parts[part] : part}</Fragment>);
