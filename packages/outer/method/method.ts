// A method: the composition of plug-ins that a paper describes, as fields of the run spec. Browsers, replay and simulator read the spec alone.
//
//   draft (model, data, H inner steps)  --compose-->  inner, outer and rounds as the method has them
import type { RunDraft } from "#wire";

/** Of the spec: the newest field that a method names came with it. A draft of a newer version keeps its own. */
const METHOD_VERSION = 4;

type Composition = Pick<RunDraft, "inner" | "outer" | "rounds">;

export interface Method {
  /** What `host --method` and `sim compare --methods` call it. */
  readonly name: string;
  readonly title: string;
  /** Paper or spec. */
  readonly source: string;
  /** What must be the same bits everywhere: the anchor ("full"), what a message decodes to ("msg"), or who exchanges what with whom ("plan"). */
  readonly parity: "full" | "msg" | "plan";
  /** @param draft whose inner.steps is H, the steps from one exchange of a parameter to its next */
  readonly compose: (draft: Composition) => Partial<Composition>;
}

/** The draft, with that method. */
export const withMethod = (draft: RunDraft, { compose }: Method): RunDraft => ({
  ...draft,
  version: Math.max(draft.version, METHOD_VERSION) as RunDraft["version"],
  ...compose(draft),
});
