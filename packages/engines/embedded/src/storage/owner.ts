import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { locked, wrongFormat } from '../errors.ts'
import { format, isReadable, migrate } from './migration.ts'
import type { Store, Transaction } from './store.ts'

const formatKey = Buffer.from('format')
const ownerKey = Buffer.from('owner')
const bootKey = Buffer.from('boot')

interface Owner {
  readonly pid: number
  /** When the process began, as the kernel counts: tells a process from a later one with the same pid. */
  readonly startedAt: string | undefined
  /** The namespace the pid is of: in another one it names somebody else, or nobody. */
  readonly namespace: string | undefined
}

/**
 * Makes this process the owner of a data directory, or throws. Two processes would each keep their own idea of what is
 * settled. The store's write lock, which dies with its holder, guards the moment of looking and taking.
 *
 * @returns the how-manieth opening of the directory this is
 * @throws ENGINE_LOCKED with the owner's pid while that process lives
 * @throws ENGINE_FORMAT when the directory was written by a version this one cannot read; what an older one wrote is migrated
 */
export function takeOwnership(store: Store, dir: string): number {
  return store.exclusively((tx) => {
    const found = store.get('meta', formatKey)?.toString() ?? String(format)
    if (!isReadable(found)) throw wrongFormat(dir, found, format)
    const row = store.get('meta', ownerKey)
    const owner = row === undefined ? undefined : (JSON.parse(row.toString()) as Owner)
    if (owner !== undefined && isAlive(owner, dir)) throw locked(dir, owner.pid)
    migrate(store, tx, found)
    tx.put('meta', formatKey, Buffer.from(String(format)))
    tx.put('meta', ownerKey, Buffer.from(JSON.stringify(self())))
    const boot = Number(store.get('meta', bootKey)?.toString() ?? 0) + 1
    tx.put('meta', bootKey, Buffer.from(String(boot)))
    ownedHere.add(realpathSync(dir))
    return boot
  })
}

/** Nobody owns the directory any more. */
export function releaseOwnership(tx: Transaction): void {
  tx.remove('meta', ownerKey)
}

/** This process has let go of a directory, whether or not it could still write so. */
export function endOwnership(dir: string): void {
  ownedHere.delete(realpathSync(dir))
}

/** Directories that engines of this process own; the row alone cannot tell one that failed and was closed. */
const ownedHere = new Set<string>()

function self(): Owner {
  return { pid: process.pid, startedAt: startOf(process.pid), namespace: namespaceOf() }
}

/** A second engine in the same process would be just as wrong as one in another. */
function isAlive(owner: Owner, dir: string): boolean {
  if (owner.namespace !== namespaceOf()) return false
  if (owner.pid === process.pid && owner.startedAt === startOf(process.pid)) return ownedHere.has(realpathSync(dir))
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  return owner.startedAt === startOf(owner.pid) && !isZombie(owner.pid)
}

/** Dead, with all of its threads, and not yet collected by its parent; where pid 1 collects nobody, for ever. */
function isZombie(pid: number): boolean {
  const state = statOf(pid)?.[0]
  if (state !== 'Z' && state !== 'X') return false
  try {
    // Threads may outlive the first one by a moment, and one of them may be in the middle of a write.
    return readdirSync(`/proc/${pid}/task`).length <= 1
  } catch {
    return true
  }
}

/** When a process began. */
function startOf(pid: number): string | undefined {
  return statOf(pid)?.[19]
}

/** `/proc/<pid>/stat` from its third field, the state, on; undefined where there is no such file. @see proc(5) */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

function namespaceOf(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}
