import type { Cluster } from './cluster.ts'
import type { Names } from './names.ts'
import { notePartitionOf, prefixOf, type RangeName } from './notes.ts'
import { committedEnd, scan } from './scan.ts'

/** The note that tells who reads a range, which is none of a record. */
const sessionName = 'session'

/** The notes of a partition as far as they were read: their names, by range. */
interface Read {
  readonly names: Map<string, Set<string>>
  to: number
}

/** How many records are noted with ranges. Reads all notes of a partition once, and from then on what was added. */
export class NotedCounts {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #read = new Map<number, Read>()
  /** One reading after the other. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(cluster: Cluster, names: Names) {
    this.#cluster = cluster
    this.#topic = names.notes
  }

  /** The sum of some ranges. */
  count(ranges: readonly RangeName[]): Promise<number> {
    if (ranges.length === 0) return Promise.resolve(0)
    const counted = this.#last.then(() => this.#count(ranges.map(prefixOf)))
    this.#last = counted.catch(() => {})
    return counted
  }

  async #count(prefixes: readonly string[]): Promise<number> {
    const partitions = [...new Set(prefixes.map(notePartitionOf))]
    const ends = await committedEnd(this.#cluster, this.#topic, partitions)
    await Promise.all(partitions.map((each) => this.#readTo(each, ends.get(each) ?? 0)))
    return prefixes.reduce((sum, each) => sum + (this.#read.get(notePartitionOf(each))?.names.get(each)?.size ?? 0), 0)
  }

  async #readTo(partition: number, until: number): Promise<void> {
    const read = this.#read.get(partition) ?? { names: new Map(), to: 0 }
    this.#read.set(partition, read)
    const range = { topic: this.#topic, partition, from: read.to, until }
    read.to = await scan(this.#cluster, range, (records) => {
      for (const { key, value } of records) learn(read.names, key?.toString() ?? '', value !== undefined)
    })
  }
}

function learn(names: Map<string, Set<string>>, key: string, stands: boolean): void {
  const at = key.lastIndexOf('/') + 1
  const [prefix, name] = [key.slice(0, at), key.slice(at)]
  if (name === sessionName) return
  const known = names.get(prefix) ?? new Set()
  if (stands) names.set(prefix, known.add(name))
  else if (known.delete(name) && known.size === 0) names.delete(prefix)
}
