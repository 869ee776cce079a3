// Fetching, against servers of this machine: one that breaks off, one with the hub's paths.
import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { download } from "./download.ts";
import { gather } from "./gather.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  servers.push(server);
  await new Promise<void>((go) => server.listen(0, "127.0.0.1", go));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const folderOf = (): Promise<string> => mkdtemp(join(tmpdir(), "gossamer-download-"));
const body = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));

/** Answers ranges, and closes the line after so many bytes. */
function cutting(bytesEach: number, asked: string[], etag: () => string = () => '"v1"') {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { range = "" } = request.headers;
    asked.push(range);
    const valid = request.headers["if-range"] === etag();
    const from = valid ? Number(/bytes=(\d+)-/.exec(range)?.[1] ?? 0) : 0;
    const rest = body.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, {
      etag: etag(),
      "content-length": rest.length,
      ...(from > 0 ? { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` } : {}),
    });
    response.write(rest.subarray(0, bytesEach), () => {
      if (rest.length > bytesEach) response.destroy();
      else response.end();
    });
  };
}

describe("download", () => {
  test("a line that breaks is taken up where it broke", async () => {
    const asked: string[] = [];
    const url = `${await serve(cutting(130_000, asked))}/a.txt`;
    const path = join(await folderOf(), "a");
    const seen: number[] = [];
    expect(await download({ url, name: url, path, onBytes: (bytes) => seen.push(bytes) })).toBe(body.length);
    expect(await readFile(path)).toEqual(body);
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.slice(1).every((range) => /^bytes=\d+-$/.test(range))).toBe(true);
    expect(seen.at(-1)).toBe(body.length);
    expect(await readdir(join(path, ".."))).toEqual(["a"]); // nothing half-made
    await download({ url, name: url, path, onBytes: () => {} });
    expect(asked.length).toBeLessThan(7); // what is here is not asked for again
  });

  test("a server that stops halfway for good is named, and a second start goes on there", async () => {
    let open = false;
    const asked: string[] = [];
    const whole = cutting(body.length, asked);
    const url = `${await serve((request, response) => {
      if (open) return whole(request, response);
      if (request.headers.range !== undefined) return void response.destroy();
      cutting(100_000, asked)(request, response);
    })}/a.txt`;
    const path = join(await folderOf(), "a");
    const wanted = { url, name: url, path, onBytes: () => {} };
    await expect(download(wanted)).rejects.toThrow(
      /^http.*a\.txt: it stopped after \d+ of 300000 bytes: .*\. Start again: what is here stays, and the rest is fetched$/,
    );
    expect((await readdir(join(path, ".."))).sort()).toEqual(["a.json", "a.part"]);
    open = true;
    asked.length = 0;
    expect(await download(wanted)).toBe(body.length);
    expect(asked).toEqual([expect.stringMatching(/^bytes=[1-9]\d*-$/)]);
    expect(await readFile(path)).toEqual(body);
  });

  test("a file that changed meanwhile is fetched from its beginning", async () => {
    const asked: string[] = [];
    let version = 0;
    const url = `${await serve((request, response) => cutting(++version > 2 ? body.length : 120_000, asked, () => (version === 1 ? '"v1"' : '"v2"'))(request, response))}/a.txt`;
    const path = join(await folderOf(), "a");
    await download({ url, name: url, path, onBytes: () => {} });
    expect(await readFile(path)).toEqual(body);
  });

  test.each<[number, RegExp]>([
    [404, /a\.txt: the server answered 404\. Check the address$/],
    [403, /a\.txt: the server answered 403\. Use a key$/],
    [500, /a\.txt: it stopped after 0 of unknown bytes: the server answered 500/],
  ])("an answer of %i is named", async (status, message) => {
    const url = `${await serve((_, response) => response.writeHead(status).end())}/a.txt`;
    const path = join(await folderOf(), "a");
    await expect(download({ url, name: url, path, onBytes: () => {}, accessRemedy: "Use a key" })).rejects.toThrow(
      message,
    );
  });

  test("nobody there", async () => {
    const url = await serve(() => {});
    servers.pop()!.close();
    const path = join(await folderOf(), "a");
    await expect(download({ url, name: url, path, onBytes: () => {} })).rejects.toThrow(/ECONNREFUSED/);
  });
});

describe("a hub", () => {
  const commit = "0123456789abcdef0123456789abcdef01234567";
  const files: Record<string, string> = {
    "README.md": "# About\n",
    "data/train-00000.jsonl": '{"text":"one"}\n',
    "data/train-00001.jsonl": '{"text":"two"}\n',
    "data/größe 1.txt": "three",
    "image.png": "no text",
  };

  /** Pages of three, as the hub's are of a thousand. */
  const hub = (token: string | undefined, asked: string[]) =>
    serve((request, response) => {
      const url = new URL(request.url!, `http://${request.headers.host}`);
      asked.push(decodeURIComponent(url.pathname));
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        return void response.writeHead(401).end();
      if (url.pathname === "/api/datasets/team/books/revision/main")
        return void response.end(JSON.stringify({ sha: commit }));
      if (url.pathname === `/api/datasets/team/books/tree/${commit}`) {
        const from = Number(url.searchParams.get("cursor") ?? 0);
        const names = Object.keys(files);
        const rows = [
          { type: "directory", path: "data" },
          ...names.map((path) => ({ type: "file", path, size: Buffer.byteLength(files[path]) })),
        ];
        if (from + 3 < rows.length)
          response.setHeader("link", `<${url.origin}${url.pathname}?recursive=true&cursor=${from + 3}>; rel="next"`);
        return void response.end(JSON.stringify(rows.slice(from, from + 3)));
      }
      const name = decodeURIComponent(url.pathname).replace(`/datasets/team/books/resolve/${commit}/`, "");
      if (files[name] === undefined) return void response.writeHead(404).end();
      response.end(files[name]);
    });

  const options = async (endpoint: string, token?: string) => ({
    ...{ folder: "/", cache: await folderOf(), hub: { endpoint, token }, onFetched: () => {} },
  });

  test("a data set's files are listed at one commit, page by page, and fetched with the token", async () => {
    const asked: string[] = [];
    const endpoint = await hub("secret", asked);
    const [part] = await gather([{ hub: { dataset: "team/books", under: "data" } }], await options(endpoint, "secret"));
    expect(part.files.map(({ name, format, bytes }) => [name, format, bytes])).toEqual([
      ["hub:team/books/data/größe 1.txt", "text", 5],
      ["hub:team/books/data/train-00000.jsonl", "jsonl", 15],
      ["hub:team/books/data/train-00001.jsonl", "jsonl", 15],
    ]);
    expect(part.commit).toBe(commit);
    expect(await readFile(part.files[0].path, "utf8")).toBe("three");
    expect(asked.filter((path) => path.includes("/tree/"))).toHaveLength(2);
  });

  test("without the token, without such files, at an address that is no hub", async () => {
    const endpoint = await hub("secret", []);
    await expect(gather([{ hub: { dataset: "team/books" } }], await options(endpoint))).rejects.toThrow(
      /^hub:team\/books: http.* answered 401\. .*needs HF_TOKEN/,
    );
    const given = { hub: { dataset: "team/books", under: "image.png" } };
    await expect(gather([given], await options(endpoint, "secret"))).rejects.toThrow(
      'hub:team/books: it has no file below "image.png" of a format that is read here. Those are .txt',
    );
    const other = await serve((_, response) => response.end("{}"));
    await expect(gather([given], await options(other))).rejects.toThrow(
      "did not answer as a hub does. Check HF_ENDPOINT",
    );
  });

  test("an address is a file, whose name has no key in it; one of no known ending is refused before it is fetched", async () => {
    const url = await serve((_, response) => response.end("from afar"));
    const given = await options("http://127.0.0.1:1");
    const [part] = await gather([{ url: `${url}/book.txt?key=secret` }], given);
    expect(part.files[0].name).toBe(`${url}/book.txt`);
    expect(await readFile(part.files[0].path, "utf8")).toBe("from afar");
    await expect(gather([{ url: `${url}/book.pdf` }], given)).rejects.toThrow("book.pdf: its ending says no format");
    await writeFile(part.files[0].path, "changed"); // not fetched twice
    expect((await gather([{ url: `${url}/book.txt?key=secret` }], given))[0].files[0].bytes).toBe(7);
  });
});
