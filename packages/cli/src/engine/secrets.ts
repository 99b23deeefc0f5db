/** Takes secrets out of a text. */
export type Scrub = (text: string) => string

const shown = '***'
/** Shorter ones would take half of every sentence with them. */
const lengthMin = 4

/** Hides passwords of the URL, and tokens, wherever an error or a log line repeats them: as given and as decoded. */
export function scrubOf(url: string | undefined, others: readonly (string | undefined)[] = []): Scrub {
  const secrets = new Set(others.filter((secret) => secret !== undefined))
  for (const password of passwordsIn(url ?? '')) {
    secrets.add(password)
    secrets.add(decoded(password))
  }
  const hidden = [...secrets]
    .filter(({ length }) => length >= lengthMin)
    .sort((one, other) => other.length - one.length)
  return (text) => {
    let clean = text.replaceAll(/(\w+:\/\/[^\s/@:]*):[^\s/@]+@/g, `$1:${shown}@`)
    for (const secret of hidden) clean = clean.replaceAll(secret, shown)
    return clean
  }
}

/** `scheme://user:password@host` or, as NATS has tokens, `scheme://token@host`; several hosts have one each. */
function passwordsIn(url: string): string[] {
  return [...url.matchAll(/(?:\/\/|,)([^/@,]+)@/g)].flatMap(([, user = '']) => {
    const colon = user.indexOf(':')
    return [colon < 0 ? user : user.slice(colon + 1)]
  })
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
