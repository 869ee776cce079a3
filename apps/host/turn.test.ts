import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { hostMessageSchema } from "#wire";
import { freshFolder } from "./test-given.ts";
import { loadTurn, TURN_URLS_MAX, turnPassword, turnServer, turnUrlFault } from "./turn.ts";

const peer = `${"ab".repeat(32)}00`;
const url = "turn:turn.example.org:3478?transport=udp";

async function fileWith(text: string): Promise<string> {
  const path = join(await freshFolder(), "secret");
  await writeFile(path, text);
  return path;
}

test("a password is the HMAC-SHA1 of the user's name: RFC 2202, test case 2", () => {
  const digest = Buffer.from("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "hex");
  expect(turnPassword("Jefe", "what do ya want for nothing?")).toBe(digest.toString("base64"));
});

test("with a secret, a peer's login ends a day from now and names the peer", async () => {
  const turn = await loadTurn({ turn: [url], turnSecretFile: await fileWith("north\nnot this line\n") });
  const server = turnServer(turn!, peer, 1_700_000_000_999);
  const username = `${1_700_000_000 + 24 * 3600}:${peer}`;
  expect(server).toEqual({ urls: [url], username, credential: turnPassword("north", username) });
  const ice = hostMessageSchema.parse({ type: "ice", iceServers: [server] });
  expect(ice).toMatchObject({ iceServers: [server] });
});

test("a user and a password of the server's own go to everybody as they are", async () => {
  const given = { turn: [url], turnUser: "ada", turnPasswordFile: await fileWith("difference engine\n") };
  expect(turnServer((await loadTurn(given))!, peer, 0)).toEqual({
    urls: [url],
    username: "ada",
    credential: "difference engine",
  });
});

test("without --turn there is none", async () => expect(await loadTurn({})).toBeUndefined());

test.each([
  "turn:turn.example.org",
  "turn:203.0.113.1:3478?transport=tcp",
  "turns:turn.example.org:5349",
  "turn:[2001:db8::1]:3478",
])("%s is an address", (text) => expect(turnUrlFault(text)).toBeUndefined());

test.each([
  "turn.example.org:3478",
  "stun:turn.example.org",
  "turn://turn.example.org",
  "turn:turn.example.org:0",
  "turn:turn.example.org:65536",
  "turn:turn.example.org?transport=sctp",
  "turn:user@turn.example.org",
  "",
])('"%s" is none, and an example says how', (text) => expect(turnUrlFault(text)).toMatch(/looks like turn:/));

describe("what is missing or too much is said with the option's name and the remedy", () => {
  test.each([
    ["no login", { turn: [url] }, /--turn needs a login: --turn-secret-file/],
    ["half a login", { turn: [url], turnUser: "ada" }, /--turn-password-file FILE/],
    ["two logins", { turn: [url], turnSecretFile: "a", turnUser: "ada" }, /leave out --turn-user/],
    ["a login for nothing", { turnSecretFile: "a" }, /--turn-secret-file says how to log in.*Add --turn URL/],
    ["a password for nothing", { turnPasswordFile: "a" }, /--turn-password-file says.*Add --turn URL/],
    ["too many", { turn: Array(TURN_URLS_MAX + 1).fill(url) }, /given 5 times; 4 is the most/],
    [
      "a file that is not there",
      { turn: [url], turnSecretFile: "/no/such/file" },
      /--turn-secret-file cannot be read.*path/,
    ],
  ])("%s", async (_, options, message) => {
    await expect(loadTurn(options)).rejects.toThrow(message);
  });

  test("an empty file", async () => {
    const turnSecretFile = await fileWith("\n");
    await expect(loadTurn({ turn: [url], turnSecretFile })).rejects.toThrow(/the first line of .* is empty/);
  });
});
