import { statfsSync } from 'node:fs'

/** What is kept free: so much of the file system, and no more than so many bytes. */
const keptShare = 0.01
const keptBytesMax = 64 * 1024 * 1024
/** Pages of the trees are written anew beside the rows. */
const bytesPerByte = 2
const bytesPerCommit = 256 * 1024

/** What a file system says of itself. @see statfs(2) */
export type Statfs = (dir: string) => { readonly bsize: number; readonly blocks: number; readonly bavail: number }

/**
 * Refuses to write before the disk is full. Whoever clears it up then has room to work in, and LMDB never meets a write that
 * fails: its binding composes the message of that failure in a buffer that is too small (`mdb_page_flush` of lmdb 3.5), which
 * may end the process at any time after.
 */
export class Room {
  readonly #dir: string
  readonly #statfs: Statfs

  constructor(dir: string, statfs: Statfs = statfsSync) {
    this.#dir = dir
    this.#statfs = statfs
  }

  /** @throws Error when there is no room for so many bytes of rows */
  require(bytes: number): void {
    const stat = this.#look()
    if (stat === undefined) return
    const free = stat.bavail * stat.bsize
    const needed = Math.min(keptBytesMax, stat.blocks * stat.bsize * keptShare) + bytesPerCommit + bytesPerByte * bytes
    if (free >= needed) return
    const mb = (of: number): string => (of / 1e6).toFixed(1)
    throw new Error(`the disk is full: ${mb(free)} MB are free where ${this.#dir} is, ${mb(needed)} MB are needed`)
  }

  /** Undefined where nobody can say. */
  #look(): ReturnType<Statfs> | undefined {
    try {
      return this.#statfs(this.#dir)
    } catch {
      return undefined
    }
  }
}
