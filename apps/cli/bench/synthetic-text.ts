// Text of any length for benches, of one seed: words of syllables that occur as in a language (few of them often, always new ones), in sentences.

/** Beginnings, middles and ends: 20 · 30 · 20 · 30 words of two syllables, and with every further one 600 times as many. */
const HEADS = "b br d dr f g gr h k kl l m n p pr s st t tr w".split(" ");
const TAILS = "a e i o u an en in on un ar er ir or ur al el il ol ul as es is os us ai ei au eu ie".split(" ");

export class SyntheticText {
  #state: number;
  readonly #words: string[] = [];

  constructor(seed: number) {
    this.#state = seed | 1;
    for (let i = 0; i < 30_000; i++) this.#words.push(this.#newWord());
  }

  /** From 0 to 1: xorshift32. */
  #draw(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (x >>> 0) / 2 ** 32;
  }

  #newWord(): string {
    let word = "";
    for (let syllables = 1 + Math.floor(4 * this.#draw()); syllables > 0; syllables--)
      word += HEADS[Math.floor(HEADS.length * this.#draw())] + TAILS[Math.floor(TAILS.length * this.#draw())];
    return word;
  }

  /** One in a hundred was never there; of the others the n-th is about as frequent as 1/n (Zipf). */
  #word(): string {
    if (this.#draw() < 0.01) return this.#newWord();
    return this.#words[Math.floor(this.#words.length ** this.#draw()) - 1];
  }

  sentence(): string {
    const count = 4 + Math.floor(16 * this.#draw());
    const words = Array.from({ length: count }, () =>
      this.#draw() < 0.01 ? `${Math.floor(3000 * this.#draw())}` : this.#word(),
    );
    words[0] = words[0][0].toUpperCase() + words[0].slice(1);
    return `${words.join(" ")}. `;
  }

  /** A document of about so many bytes; all of it is ASCII. */
  document(bytes: number): string {
    let text = "";
    while (text.length < bytes) text += this.sentence();
    return text;
  }
}
