// A data set of the Hugging Face hub, or of a server with the same paths.
//
//   GET /api/datasets/NAME/revision/REVISION              -> {sha}: the commit, so that what is read cannot change meanwhile
//   GET /api/datasets/NAME/tree/SHA?recursive=true        -> [{type, path, size}], further pages by Link: <...>; rel="next"
//   GET /datasets/NAME/resolve/SHA/PATH                   -> the file
//
// Source: the hub's public API as huggingface_hub 1.33 calls it (hf_api.py: repo_info, list_repo_tree; file_download.py: hf_hub_url).
import * as z from "zod/mini";
import type { CorpusPart } from "#wire";
import { CorpusError, messageOf } from "./fault.ts";
import { formatOf } from "./files.ts";

export interface HubPlace {
  /** For example https://huggingface.co */
  readonly endpoint: string;
  /** Sent to that server alone. */
  readonly token: string | undefined;
}

export interface HubFile {
  readonly name: string; // for people and the manifest
  readonly url: string;
  readonly path: string; // in the data set
  readonly bytes: number;
}

export const hubHeaders = ({ token }: HubPlace): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

export const HUB_ACCESS =
  "Check the name; a data set that is not public needs HF_TOKEN, and that its terms were accepted on its page";

/** Lists are pages of a thousand. */
const PAGES_MAX = 100;
const treeSchema = z.array(z.looseObject({ type: z.string(), path: z.string(), size: z.optional(z.number()) }));
const revisionSchema = z.looseObject({ sha: z.string().check(z.regex(/^[0-9a-f]{6,64}$/)) });

const quoted = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/** Files that are read here, in the order of their paths. @throws CorpusError */
export async function hubFiles(
  { dataset, revision = "main", under = "" }: NonNullable<CorpusPart["hub"]>,
  place: HubPlace,
): Promise<{ readonly files: HubFile[]; readonly skipped: string[]; readonly commit: string }> {
  const base = place.endpoint.replace(/\/+$/, "");
  const name = `hub:${dataset}`;
  const ask = async (url: string): Promise<{ value: unknown; next: string | undefined }> => {
    let response: Response;
    try {
      response = await fetch(url, { headers: hubHeaders(place) });
    } catch (error) {
      throw new CorpusError(
        name,
        `${base} cannot be reached: ${messageOf(error)}`,
        "Check the network, or HF_ENDPOINT",
      );
    }
    const value: unknown = await response.json().catch(() => undefined);
    if (!response.ok) throw new CorpusError(name, `${base} answered ${response.status}`, HUB_ACCESS);
    const next = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get("link") ?? "")?.[1];
    return { value, next: next === undefined ? undefined : new URL(next, url).href };
  };
  const strange = new CorpusError(name, `${base} did not answer as a hub does`, "Check HF_ENDPOINT");
  const found = revisionSchema.safeParse(
    (await ask(`${base}/api/datasets/${dataset}/revision/${encodeURIComponent(revision)}`)).value,
  );
  if (!found.success) throw strange;
  const commit = found.data.sha;
  const files: HubFile[] = [];
  const skipped: string[] = [];
  let url: string | undefined = `${base}/api/datasets/${dataset}/tree/${commit}?recursive=true`;
  for (let page = 0; url !== undefined; page++) {
    if (page === PAGES_MAX || !url.startsWith(`${base}/`)) throw strange;
    const { value, next } = await ask(url);
    const tree = treeSchema.safeParse(value);
    if (!tree.success) throw strange;
    for (const { type, path, size = 0 } of tree.data) {
      const isUnder = under === "" || path === under || path.startsWith(`${under.replace(/\/$/, "")}/`);
      if (type !== "file" || !isUnder) continue;
      if (formatOf(path) === undefined || path.split("/").includes("..")) skipped.push(`${name}/${path}`);
      else
        files.push({
          name: `${name}/${path}`,
          url: `${base}/datasets/${dataset}/resolve/${commit}/${quoted(path)}`,
          path,
          bytes: size,
        });
    }
    url = next;
  }
  if (files.length === 0)
    throw new CorpusError(
      name,
      `it has no file${under === "" ? "" : ` below "${under}"`} of a format that is read here`,
      `Those are .txt, .md, .jsonl and .parquet; it has ${skipped.slice(0, 5).join(", ") || "none at all"}`,
    );
  return { files: files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path))), skipped, commit };
}
