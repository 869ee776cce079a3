import { describe, expect, test } from "vitest";
import { identityFrom } from "#wire";
import { openKey, sealKey } from "./key-file.ts";
import { KEY_FILE_LENGTH_MAX, keyFragment, keyOfFragment } from "./key-link.ts";

const seed = new Uint8Array(32).map((_, i) => i);
const random = new Uint8Array(28).map((_, i) => 200 - i);
const PASSPHRASE = "correct horse battery";
const sealed = await sealKey(seed, "Ada", PASSPHRASE, random);

test("what was sealed is opened with its passphrase: seed, volunteer and name", async () => {
  expect(await openKey(sealed, PASSPHRASE)).toEqual({ seed, volunteer: identityFrom(seed).volunteer, name: "Ada" });
});

test("nothing of the secret is in the file, and the format is the documented one", () => {
  const { seed: secret, ...header } = JSON.parse(sealed);
  expect(header).toEqual({
    format: "gossamer volunteer key",
    version: 1,
    volunteer: identityFrom(seed).volunteer,
    name: "Ada",
    kdf: "PBKDF2-HMAC-SHA-256",
    iterations: 600_000,
    salt: btoa(String.fromCharCode(...random.subarray(0, 16))),
    cipher: "AES-256-GCM",
    iv: btoa(String.fromCharCode(...random.subarray(16))),
  });
  expect(atob(secret)).toHaveLength(32 + 16);
  expect(atob(secret)).not.toContain(String.fromCharCode(...seed.subarray(0, 4)));
});

const FIXED =
  '{"format":"gossamer volunteer key","version":1,"volunteer":"03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8","name":"Ada","kdf":"PBKDF2-HMAC-SHA-256","iterations":600000,"salt":"yMfGxcTDwsHAv769vLu6uQ==","cipher":"AES-256-GCM","iv":"uLe2tbSzsrGwr66t","seed":"++e9tEG1YjBJq8P8adfH5PsLR8fTB/HiA6ZDKIuCocZ16rRBiUw2SjSYTfTdi9Re"}';

test("a fixed file of version 1 still opens", async () => {
  // Made on 2026-11-22 with the seed, passphrase and random bytes above.
  const { volunteer } = await openKey(FIXED, PASSPHRASE);
  expect(volunteer).toBe("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
});

test("composed and decomposed letters are one passphrase", async () => {
  const text = await sealKey(seed, "", "caf\u00e9 caf\u00e9", random);
  expect((await openKey(text, "cafe\u0301 cafe\u0301")).seed).toEqual(seed);
});

describe("what is no key, or not ours any more, is refused by name", () => {
  const change = (to: object) => JSON.stringify({ ...JSON.parse(sealed), ...to });
  test.each([
    ["another passphrase", sealed, "correct horse batterz", "passphrase"],
    ["no passphrase", sealed, "", "passphrase"],
    ["a changed name", change({ name: "Eve" }), PASSPHRASE, "passphrase"],
    ["a changed volunteer", change({ volunteer: "0".repeat(64) }), PASSPHRASE, "passphrase"],
    ["a changed seed", change({ seed: btoa("x".repeat(48)) }), PASSPHRASE, "passphrase"],
    ["fewer iterations", change({ iterations: 1 }), PASSPHRASE, "damaged"],
    ["endless iterations", change({ iterations: 1e12 }), PASSPHRASE, "damaged"],
    ["another cipher", change({ cipher: "ROT-13" }), PASSPHRASE, "damaged"],
    ["a further field", change({ extra: 1 }), PASSPHRASE, "damaged"],
    ["a newer version", change({ version: 2 }), PASSPHRASE, "version"],
    ["another format", change({ format: "something" }), PASSPHRASE, "not-a-key"],
    ["half a file", sealed.slice(0, 100), PASSPHRASE, "not-a-key"],
    ["null", "null", PASSPHRASE, "not-a-key"],
    ["nothing", "", PASSPHRASE, "not-a-key"],
    ["a huge file", `${sealed}${" ".repeat(KEY_FILE_LENGTH_MAX)}`, PASSPHRASE, "not-a-key"],
  ])("%s", async (_, text, passphrase, fault) => {
    await expect(openKey(text, passphrase)).rejects.toMatchObject({ name: "KeyFileError", fault });
  });

  test("a short passphrase makes no file", async () => {
    await expect(sealKey(seed, "", "1234567", random)).rejects.toMatchObject({ fault: "too-short" });
  });
});

test("an address carries it in its fragment; what is no such fragment is nothing", () => {
  expect(keyOfFragment(keyFragment(sealed))).toBe(sealed);
  expect(keyFragment(sealed)).toMatch(/^#key=[\w-]+$/);
  for (const fragment of ["", "#main", "#key=", "#key=!", "#key=a", `#key=${"a".repeat(10_000)}`])
    expect(keyOfFragment(fragment)).toBeUndefined();
});
