/** Patterns of channels: dotted words, `*` for one, `**` at the end for one or more, and `**` alone for all. */
export interface Rights {
  /** Channels that one may publish to. */
  readonly publish: readonly string[]
  /** Channels that one may join the groups of, make groups on, and put the dead letters of such groups aside for. */
  readonly consume: readonly string[]
  /** Channels that one may make, look into, move and seek, with their dead letters. */
  readonly manage: readonly string[]
}

/** What one may want to do with a channel. */
export type Right = keyof Rights

/** What a name of a channel is about: its own, or that of the channel whose dead letters stand there. */
interface Subject {
  readonly name: string
  readonly isDead: boolean
}

const deadLetters = /^posthaste\.(?:dead\.[^.]+|deadto\.[^.]+\.[^.]+)\.(.+)$/
const replies = 'posthaste.reply.'

/** Words of a name against those of a pattern. */
export function matches(pattern: string, name: string): boolean {
  if (pattern === '**') return true
  const [wanted, given] = [pattern.split('.'), name.split('.')]
  const isOpen = wanted.at(-1) === '**'
  if (isOpen ? given.length < wanted.length : given.length !== wanted.length) return false
  return wanted.every((word, at) => word === '*' || (word === '**' && at === wanted.length - 1) || word === given[at])
}

/** Whether every name that a pattern matches is one that another pattern matches. */
export function covers(wider: string, pattern: string): boolean {
  if (wider === '**' || wider === pattern) return true
  const [wanted, given] = [wider.split('.'), pattern.split('.')]
  const isOpen = wanted.at(-1) === '**'
  if (isOpen ? given.length < wanted.length : given.length !== wanted.length || given.at(-1) === '**') return false
  return wanted.every((word, at) => (word === '**' && at === wanted.length - 1) || word === '*' || word === given[at])
}

/** Most answers that are remembered for one user. */
const rememberedMax = 10_000

/** What one user may do. Answers are remembered: they are asked for per record. */
export class Permissions {
  readonly #rights: Rights
  readonly #remembered: Readonly<Record<Right, Map<string, boolean>>> = {
    publish: new Map(),
    consume: new Map(),
    manage: new Map(),
  }

  constructor(rights: Rights) {
    this.#rights = rights
  }

  may(right: Right, channel: string): boolean {
    const remembered = this.#remembered[right]
    const known = remembered.get(channel)
    if (known !== undefined) return known
    const answer = this.#decide(right, channel)
    if (remembered.size >= rememberedMax) remembered.clear()
    remembered.set(channel, answer)
    return answer
  }

  /** Whether a channel may be made: those of dead letters and replies come with consuming. */
  mayMake(channel: string): boolean {
    if (this.may('manage', channel)) return true
    return subjectOf(channel).isDead
      ? this.may('publish', channel)
      : channel.startsWith(replies) && this.may('consume', channel)
  }

  mayAny(channel: string): boolean {
    return this.may('publish', channel) || this.may('consume', channel) || this.may('manage', channel)
  }

  /** Whether who manages a channel may move records from it to a group of another: back to where dead letters came from. */
  mayReturn(from: string, to: string): boolean {
    const { name, isDead } = subjectOf(from)
    return (isDead && name === to) || this.may('publish', to) || this.may('manage', to)
  }

  /** Whether every channel of a pattern may be consumed. */
  mayFollow(pattern: string): boolean {
    return this.#rights.consume.some((wider) => covers(wider, pattern))
  }

  /** Whether there is nothing that may not be managed. */
  get managesAll(): boolean {
    return this.#rights.manage.includes('**')
  }

  #decide(right: Right, channel: string): boolean {
    // Whoever was asked answers, wherever that is; where answers are read is a right like any other.
    if (right === 'publish' && channel.startsWith(replies)) return true
    const { name, isDead } = subjectOf(channel)
    // Who consumes puts aside what cannot be handled, and takes nothing out of what others have put there.
    const needed = isDead && right === 'publish' ? 'consume' : right
    const isNamed = isDead && right === 'consume'
    return this.#rights[needed].some((pattern) => (!isNamed && matches(pattern, name)) || matches(pattern, channel))
  }
}

function subjectOf(channel: string): Subject {
  const [, of] = deadLetters.exec(channel) ?? []
  return of === undefined ? { name: channel, isDead: false } : { name: of, isDead: true }
}

/** What somebody may do where nobody is asked who they are. */
export const allRights: Rights = { publish: ['**'], consume: ['**'], manage: ['**'] }
