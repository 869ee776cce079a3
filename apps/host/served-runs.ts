// The runs that a host serves now, as its API and signaling ask for them.

export interface ServedRuns<Run> {
  /** In the order in which they came. */
  list(): readonly Run[];
  /** By id, or "default": the first that the operator named. */
  find(id: string): Run | undefined;
}

/** For a host of one run that never changes. */
export const oneRun = <Run extends { readonly id: string }>(run: Run): ServedRuns<Run> => ({
  list: () => [run],
  find: (id) => (id === "default" || id === run.id ? run : undefined),
});
