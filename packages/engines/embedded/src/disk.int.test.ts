import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

/*
 * Disks that fail, as the kernel shows them: no room in the file system, no room for the file, and I/O errors of writes and
 * of syncs. Each in a process of its own that is told what to do.
 */

const worker = join(import.meta.dirname, '../test/disk-worker.ts')
const has = (command: string, ...args: readonly string[]): boolean => spawnSync(command, args).status === 0

let root = ''
let child: ChildProcess | undefined

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'posthaste-disk-'))
})

afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  child = undefined
  rmSync(root, { recursive: true, force: true })
})

interface Way {
  readonly command?: string
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

async function started(dir: string, { command = process.execPath, args = [], env = {} }: Way = {}): Promise<void> {
  // What the store's binding prints about the failure is not of interest here.
  const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const
  child = spawn(command, [...args, '--conditions=source', worker, dir], {
    env: { ...process.env, ...env },
    stdio: [...stdio],
  })
  await once(child, 'message')
}

/** What the process answers; a process that has ended instead fails the test. */
async function told(command: string): Promise<Record<string, unknown>> {
  const process = child!
  const ended = once(process, 'exit').then(([code, signal]) => {
    throw new Error(`the process ended with ${code ?? signal} when it was told to ${command}`)
  })
  const answer = once(process, 'message')
  process.send(command)
  const [message] = (await Promise.race([answer, ended])) as [Record<string, unknown>]
  ended.catch(() => {})
  return message
}

const failed = {
  codes: ['ENGINE_WRITE_FAILED'],
  remedies: [expect.stringContaining('resume()')],
  after: 'ENGINE_WRITE_FAILED',
}
const nothingLost = { published: true, missing: 0, again: 0 }

describe('a full file system', () => {
  const mount = (options: string, dir: string): boolean => has('mount', '-t', 'tmpfs', '-o', options, 'tmpfs', dir)
  const isPossible = ((): boolean => {
    const dir = mkdtempSync(join(tmpdir(), 'posthaste-mount-'))
    const mounted = process.platform === 'linux' && mount('size=1m', dir)
    if (mounted) execFileSync('umount', [dir])
    rmSync(dir, { recursive: true, force: true })
    return mounted
  })()

  // Needs the right to mount.
  it.runIf(isPossible)('is told to all who wait, and the same process goes on when there is room again', async () => {
    const disk = join(root, 'disk')
    mkdirSync(disk)
    mount('size=8m', disk)
    try {
      writeFileSync(join(disk, 'other'), Buffer.alloc(4e6))
      await started(join(disk, 'data'))
      expect(await told('fill')).toMatchObject({ ...failed, states: ['connected', 'lost'] })
      expect(() => writeFileSync(join(disk, 'more'), Buffer.alloc(8e6))).toThrow('ENOSPC')
      for (let attempt = 0; attempt < 2; attempt++)
        expect(await told('resume')).toEqual({ code: 'ENGINE_WRITE_FAILED' })
      for (const name of ['other', 'more']) rmSync(join(disk, name))
      expect(await told('resume')).toEqual({ states: ['connected'] })
      expect(await told('verify')).toEqual(nothingLost)
    } finally {
      child?.kill('SIGKILL')
      await new Promise((resolve) => setTimeout(resolve, 100))
      execFileSync('umount', ['-l', disk])
    }
  })
})

describe('a file that may not grow', () => {
  const isPossible = process.platform === 'linux' && has('prlimit', '--version')

  it.runIf(isPossible)('is told to all who wait, and the same process goes on when it may again', async () => {
    const shell = ['-c', 'ulimit -S -f 8192; exec "$0" "$@"', process.execPath]
    await started(join(root, 'data'), { command: 'sh', args: shell })
    expect(await told('fill')).toMatchObject(failed)
    expect(has('prlimit', '--pid', `${child?.pid}`, '--fsize=unlimited')).toBe(true)
    expect(await told('resume')).toEqual({ states: ['connected'] })
    expect(await told('verify')).toEqual(nothingLost)
  })
})

/**
 * While there is a file at `FAIL`, syncs fail, or writes are cut short as on a full disk. Writes that fail as a whole are left
 * out: the store's binding may end the process then.
 */
const shim = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
static int fails(const char *what) {
  const char *flag = getenv("FAIL"), *wanted = getenv("FAIL_WHAT");
  return flag && wanted && strcmp(what, wanted) == 0 && access(flag, F_OK) == 0;
}
#define WRAP(name, params, args, first, length) \\
  ssize_t name params { \\
    static ssize_t (*real) params; \\
    if (!real) real = dlsym(RTLD_NEXT, #name); \\
    return fails("write") ? pwrite_real(fd, first, (length) / 2, at) : real args; \\
  }
static ssize_t pwrite_real(int fd, const void *p, size_t n, off_t at) {
  static ssize_t (*real)(int, const void *, size_t, off_t);
  if (!real) real = dlsym(RTLD_NEXT, "pwrite");
  return real(fd, p, n, at);
}
WRAP(pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), p, n)
WRAP(pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), p, n)
WRAP(pwritev, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), v[0].iov_base, v[0].iov_len)
WRAP(pwritev64, (int fd, const struct iovec *v, int n, off_t at), (fd, v, n, at), v[0].iov_base, v[0].iov_len)
int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
  if (fails("sync")) { errno = EIO; return -1; }
  return real(fd);
}
`

describe('an I/O error', () => {
  const isPossible = process.platform === 'linux' && has('gcc', '--version')

  it.runIf(isPossible).each(['write', 'sync'])(
    'of a %s is told to all who wait, as often as it happens, and the process goes on when it is over',
    async (what) => {
      const [source, library, flag] = [join(root, 'fail.c'), join(root, 'fail.so'), join(root, 'fail')]
      writeFileSync(source, shim)
      execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl'])
      await started(join(root, 'data'), { env: { LD_PRELOAD: library, FAIL: flag, FAIL_WHAT: what } })
      const filling = told('fill')
      await new Promise((resolve) => setTimeout(resolve, 300))
      writeFileSync(flag, '')
      expect(await filling).toMatchObject(failed)
      for (let attempt = 0; attempt < 2; attempt++)
        expect(await told('resume')).toEqual({ code: 'ENGINE_WRITE_FAILED' })
      rmSync(flag)
      expect(await told('resume')).toMatchObject({ states: expect.arrayContaining(['connected']) })
      expect(await told('verify')).toEqual(nothingLost)
    },
  )
})
