/** What cannot be read or fetched, why, and what to do: told as it is. */
export class CorpusError extends Error {
  override readonly name = "CorpusError";
  constructor(where: string, reason: string, remedy: string) {
    super(`${where}: ${reason}. ${remedy}`);
  }
}

export const messageOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error && cause.message !== "" ? `${message} (${cause.message})` : message;
};
