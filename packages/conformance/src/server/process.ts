import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * What tells a process apart from a later one with the same id: when it was started, in the system's own words.
 * `undefined` when there is no such process, or it has ended and nobody has asked for its exit status yet.
 */
export function processStart(pid: number): string | undefined {
  return process.platform === 'linux' ? linuxStart(pid) : portableStart(pid)
}

/** Clock ticks since boot, and which boot: the fields after the name, which may contain anything, in parentheses. */
function linuxStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, threads] = [fields[0], Number(fields[17])]
    // One that is killed has its files and sockets until the last of its threads has ended.
    if (state === 'X' || (state === 'Z' && threads <= 1)) return undefined
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)}-${fields[19]}`
  } catch {
    return undefined
  }
}

function portableStart(pid: number): string | undefined {
  const { stdout, status } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const [state, ...start] = (stdout ?? '').trim().split(/\s+/)
  return status === 0 && state && !state.startsWith('Z') ? start.join(' ') : undefined
}
