import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { damagedRow, locked, wrongFormat } from '../errors.ts'
import { format, isReadable, migrate } from './migration.ts'
import { isListening, OwnerSocket, removeSocket } from './owner-socket.ts'
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
  /** Where it listens as long as it lives; absent where it cannot. */
  readonly socket?: string | undefined
}

/**
 * Makes this process the owner of a data directory, or throws. Two processes would each keep their own idea of what is
 * settled. The store's write lock, which dies with its holder, guards the moment of taking what was seen to be free.
 *
 * @returns the how-manieth opening of the directory this is
 * @throws ENGINE_LOCKED with the owner's pid while that process lives
 * @throws ENGINE_FORMAT when the directory was written by a version this one cannot read; what an older one wrote is migrated
 */
export async function takeOwnership(store: Store, dir: string): Promise<number> {
  const socket = await OwnerSocket.listen(dir)
  try {
    for (;;) {
      const found = store.get('meta', ownerKey)
      const stored = formatOf(store)
      if (!isReadable(stored)) throw wrongFormat(dir, stored, format)
      const owner = found === undefined ? undefined : ownerOf(found)
      if (owner !== undefined && (await isAlive(owner, dir))) throw locked(dir, owner.pid)
      const boot = takeFrom(found, { store, socket })
      if (boot === undefined) continue
      if (owner?.socket !== undefined) removeSocket(dir, owner.socket)
      ownedHere.set(realpathSync(dir), socket)
      return boot
    }
  } catch (error) {
    socket?.close()
    throw error
  }
}

/** Undefined if somebody else has taken the directory since it was looked at. */
function takeFrom(
  found: Buffer | undefined,
  { store, socket }: { store: Store; socket: OwnerSocket | undefined },
): number | undefined {
  return store.exclusively((tx) => {
    if (store.get('meta', ownerKey)?.toString() !== found?.toString()) return undefined
    migrate(store, tx, formatOf(store))
    tx.put('meta', formatKey, Buffer.from(String(format)))
    tx.put('meta', ownerKey, Buffer.from(JSON.stringify(self(socket))))
    const boot = Number(store.get('meta', bootKey)?.toString() ?? 0) + 1
    tx.put('meta', bootKey, Buffer.from(String(boot)))
    return boot
  })
}

const formatOf = (store: Store): string => store.get('meta', formatKey)?.toString() ?? String(format)

function ownerOf(row: Buffer): Owner {
  try {
    return JSON.parse(row.toString()) as Owner
  } catch {
    throw damagedRow('meta', 'owner')
  }
}

/** Nobody owns the directory any more. */
export function releaseOwnership(tx: Transaction): void {
  tx.remove('meta', ownerKey)
}

/** This process has let go of a directory, whether or not it could still write so. */
export function endOwnership(dir: string): void {
  const real = realpathSync(dir)
  ownedHere.get(real)?.close()
  ownedHere.delete(real)
}

/** Directories that engines of this process own; the row alone cannot tell one that failed and was closed. */
const ownedHere = new Map<string, OwnerSocket | undefined>()

function self(socket: OwnerSocket | undefined): Owner {
  return { pid: process.pid, startedAt: startOf(process.pid), namespace: namespaceOf(), socket: socket?.name }
}

/** A second engine in the same process would be just as wrong as one in another. */
async function isAlive(owner: Owner, dir: string): Promise<boolean> {
  if (owner.namespace !== namespaceOf()) return owner.socket !== undefined && isListening(dir, owner.socket)
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
