// Which form of a word a number takes, by the language's own rules.
export const plurals = (locale: string) => {
  const rules = new Intl.PluralRules(locale);
  return (n: number, one: string, other: string): string => (rules.select(n) === "one" ? one : other);
};
