// Tokens of operators: made on the host's machine, shown once, kept as hashes.
//
//   gossamer token new --data DIR -> "gsm_<64 hex>" on the terminal, {id, label, sha256, madeAt} in DATA/tokens.json
//
// 256 random bits need no slow hash: nobody guesses one, and whoever reads the file learns none.
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod/mini";
import { DataError, readFileIfThere, writeFileWhole } from "#store/disk";

/** More people than operate one host. */
const TOKENS_MAX = 64;
const LABEL_LENGTH_MAX = 60;

const fileSchema = z.strictObject({
  format: z.literal("gossamer tokens"),
  version: z.literal(1),
  tokens: z
    .array(
      z.strictObject({
        id: z.string().check(z.regex(/^[0-9a-f]{8}$/)),
        label: z.string(),
        sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
        madeAt: z.int(), // wall clock, ms since 1970
      }),
    )
    .check(z.maxLength(TOKENS_MAX)),
});
type StoredToken = z.infer<typeof fileSchema>["tokens"][number];
/** What may be shown of one. */
export type TokenRow = Omit<StoredToken, "sha256">;

const digest = (token: string): Buffer => createHash("sha256").update(token).digest();

export class AdminTokens {
  readonly #path: string;

  /** @param data the data directory; the file is read at each use, so what another process makes or removes counts at once */
  constructor(data: string) {
    this.#path = join(data, "tokens.json");
  }

  /** The operator behind a token, or undefined. */
  async owner(token: string): Promise<TokenRow | undefined> {
    const hash = digest(token);
    const found = (await this.#read()).find(({ sha256 }) => timingSafeEqual(Buffer.from(sha256, "hex"), hash));
    return found && rowOf(found);
  }

  async list(): Promise<TokenRow[]> {
    return (await this.#read()).map(rowOf);
  }

  /** @returns the token: this is the only time that anybody sees it. @throws DataError when there are too many */
  async make(label: string, nowMs: number): Promise<{ token: string; row: TokenRow }> {
    const stored = await this.#read();
    if (stored.length >= TOKENS_MAX)
      throw new DataError(`${this.#path} holds ${TOKENS_MAX} tokens, which is the most. Remove one that is not used.`);
    const token = `gsm_${randomBytes(32).toString("hex")}`;
    const made: StoredToken = {
      id: randomBytes(4).toString("hex"),
      label: label.slice(0, LABEL_LENGTH_MAX),
      sha256: digest(token).toString("hex"),
      madeAt: nowMs,
    };
    await this.#write([...stored, made]);
    return { token, row: rowOf(made) };
  }

  /** @returns false when there is none with that id */
  async remove(id: string): Promise<boolean> {
    const stored = await this.#read();
    const left = stored.filter((one) => one.id !== id);
    if (left.length === stored.length) return false;
    await this.#write(left);
    return true;
  }

  async #read(): Promise<StoredToken[]> {
    const content = await readFileIfThere(this.#path);
    if (content === undefined) return [];
    try {
      return fileSchema.parse(JSON.parse(content.toString())).tokens;
    } catch {
      throw new DataError(`${this.#path} cannot be read by this build. Remove it, and make new tokens.`);
    }
  }

  async #write(tokens: readonly StoredToken[]): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true }); // before the host's first start too
    const document = { format: "gossamer tokens", version: 1, tokens };
    await writeFileWhole(this.#path, `${JSON.stringify(document, null, 2)}\n`, 0o600);
  }
}

const rowOf = ({ id, label, madeAt }: StoredToken): TokenRow => ({ id, label, madeAt });
