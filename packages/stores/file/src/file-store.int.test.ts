import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileStore } from './file-store.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const withCode = (code: string): unknown => expect.objectContaining({ code })

let scratch: string
let dir: string
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'file-store-'))
  dir = join(scratch, 'some', 'where')
})
afterEach(() => rmSync(scratch, { recursive: true, force: true }))

const fileOf = (ref: string): string => {
  const name = ref.replace('posthaste-file:', '')
  return join(dir, name.slice(0, 2), name)
}
const age = (path: string, ms: number): void => {
  const at = Date.now() / 1_000 - ms / 1_000
  utimesSync(path, at, at)
}
const files = (): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))

describe('a file store', () => {
  it('gives back what was put, in every process that uses the directory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.uint8Array({ maxLength: 5_000 }), async (id, body) => {
        const ref = await fileStore({ dir }).put(id, body)
        expect(await fileStore({ dir }).get(ref)).toStrictEqual(Uint8Array.from(body))
      }),
      { numRuns: 50 },
    )
    expect(readdirSync(join(dir, 'partial'))).toEqual([])
  })

  it('takes bodies of 0 bytes and of many', async () => {
    const store = fileStore({ dir })
    const big = new Uint8Array(8 * 1024 * 1024).fill(7)
    const refs = await Promise.all([store.put('a', new Uint8Array(0)), store.put('b', big)])
    expect(await store.get(refs[0]!)).toHaveLength(0)
    expect(Buffer.compare(await store.get(refs[1]!), big)).toBe(0)
  })

  it('gives references that are URIs, and tell neither the id nor where the file stands', async () => {
    const ref = await fileStore({ dir }).put('../../secret', bytes('x'))
    expect(ref).toMatch(/^posthaste-file:[0-9a-f-]{36}$/)
    expect(new URL(ref).protocol).toBe('posthaste-file:')
  })

  it('keeps both bodies of one id', async () => {
    const store = fileStore({ dir })
    const [one, other] = await Promise.all([store.put('same', bytes('one')), store.put('same', bytes('other'))])
    expect(one).not.toBe(other)
    expect(await store.get(one!)).toStrictEqual(bytes('one'))
    expect(await store.get(other!)).toStrictEqual(bytes('other'))
  })

  it('takes many bodies at a time', async () => {
    const store = fileStore({ dir })
    const refs = await Promise.all(Array.from({ length: 300 }, (_, n) => store.put(`${n}`, bytes(`body ${n}`))))
    const bodies = await Promise.all(refs.map((ref) => store.get(ref)))
    expect(bodies.map((body) => new TextDecoder().decode(body))).toEqual(refs.map((_, n) => `body ${n}`))
  })

  it('loses nothing that it has confirmed when the process is killed', async () => {
    const script = `import { fileStore } from ${JSON.stringify(join(import.meta.dirname, 'file-store.ts'))}
      const store = fileStore({ dir: ${JSON.stringify(dir)} })
      const body = new Uint8Array(100_000).fill(9)
      const lane = async () => { for (;;) console.log(await store.put('x', body)) }
      for (let n = 0; n < 8; n++) lane()`
    const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script])
    const refs: string[] = []
    for await (const line of createInterface(child.stdout)) {
      refs.push(line)
      if (refs.length === 40) child.kill('SIGKILL')
    }
    const store = fileStore({ dir })
    for (const ref of refs) expect((await store.get(ref)).every((byte) => byte === 9)).toBe(true)
    expect(refs.length).toBeGreaterThanOrEqual(40)
  })
})

describe('a reference', () => {
  it('leads to nothing outside of the store, whatever it says', async () => {
    const store = fileStore({ dir })
    const ref = await store.put('a', bytes('x'))
    const name = ref.slice('posthaste-file:'.length)
    writeFileSync(join(scratch, 'secret'), 'secret')
    const hostile = [
      ...['posthaste-file:../secret', 'posthaste-file:../../secret', 'posthaste-file:/etc/passwd', '/etc/passwd', ''],
      ...[`file://${join(scratch, 'secret')}`, `posthaste-file:${name}/../../../secret`, `posthaste-file:${name}\0`],
      ...[`posthaste-file:%2e%2e/secret`, `posthaste-file:..\\secret`, `POSTHASTE-FILE:${name}`, `${ref}\n`, name],
      `posthaste-file:${name.toUpperCase().replace(/\d/g, 'A')}`,
    ]
    for (const each of hostile) await expect(store.get(each)).rejects.toThrow(withCode('NOT_FOUND'))
    await fc.assert(
      fc.asyncProperty(fc.string(), async (text) => {
        await expect(store.get(`posthaste-file:${text}`)).rejects.toThrow(withCode('NOT_FOUND'))
      }),
    )
  })

  it('is followed through no symbolic link', async () => {
    const store = fileStore({ dir })
    const ref = await store.put('a', bytes('x'))
    writeFileSync(join(scratch, 'secret'), 'secret')
    rmSync(fileOf(ref))
    symlinkSync(join(scratch, 'secret'), fileOf(ref))
    await expect(store.get(ref)).rejects.toThrow(withCode('UNAVAILABLE'))
  })

  it('to a body that is gone is told from a directory that is gone', async () => {
    const store = fileStore({ dir })
    const ref = await store.put('a', bytes('x'))
    rmSync(fileOf(ref))
    await expect(store.get(ref)).rejects.toThrow(expect.objectContaining({ code: 'NOT_FOUND', verdict: 'permanent' }))
    renameSync(dir, `${dir}-away`)
    await expect(store.get(ref)).rejects.toThrow(expect.objectContaining({ code: 'UNAVAILABLE', verdict: 'retryable' }))
  })
})

describe('a store that cannot write', () => {
  it('says so, leaves nothing behind, and goes on when it can', async () => {
    mkdirSync(join(scratch, 'some'))
    writeFileSync(dir, 'no directory')
    const store = fileStore({ dir })
    await expect(store.put('a', bytes('x'))).rejects.toThrow(withCode('UNAVAILABLE'))
    rmSync(dir)
    const ref = await store.put('a', bytes('x'))
    expect(await store.get(ref)).toStrictEqual(bytes('x'))
  })

  it('leaves nothing of a body that could not be written', async () => {
    const store = fileStore({ dir })
    await expect(store.put('a', { length: 5 } as never)).rejects.toThrow(withCode('UNAVAILABLE'))
    expect(files()).toEqual([])
  })

  it('makes its directories anew when somebody took them away', async () => {
    const store = fileStore({ dir })
    await store.put('a', bytes('x'))
    rmSync(dir, { recursive: true })
    await store.put('b', bytes('x')).catch(() => {})
    const ref = await store.put('c', bytes('y'))
    expect(await store.get(ref)).toStrictEqual(bytes('y'))
  })

  it('takes bodies of the size allowed and none bigger', async () => {
    const store = fileStore({ dir, bytesMax: 10 })
    const ref = await store.put('a', new Uint8Array(10))
    expect(await store.get(ref)).toHaveLength(10)
    await expect(store.put('a', new Uint8Array(11))).rejects.toThrow(withCode('BODY_TOO_LARGE'))
    await expect(fileStore({ dir, bytesMax: 9 }).get(ref)).rejects.toThrow(withCode('BODY_TOO_LARGE'))
  })
})

describe('a sweep', () => {
  const keepForMs = 60_000

  it('removes what is older than it is kept, and nothing else', async () => {
    const store = fileStore({ dir, keepForMs })
    const [old, young] = [await store.put('a', bytes('old')), await store.put('b', bytes('young'))]
    age(fileOf(old), keepForMs + 1_000)
    age(fileOf(young), keepForMs - 10_000)
    expect(await store.sweep()).toEqual({ examined: 2, removed: 1, bytesRemoved: 3, finished: true })
    await expect(store.get(old)).rejects.toThrow(withCode('NOT_FOUND'))
    expect(await store.get(young)).toStrictEqual(bytes('young'))
  })

  it('removes nothing where bodies are kept for good, but what a crash left half written', async () => {
    const store = fileStore({ dir })
    const ref = await store.put('a', bytes('x'))
    age(fileOf(ref), 10 * 365 * 86_400_000)
    const [left, writing] = ['left', 'writing'].map((name) => join(dir, 'partial', name)) as [string, string]
    for (const path of [left, writing]) writeFileSync(path, 'half')
    age(left, 3_700_000)
    expect(await store.sweep()).toMatchObject({ examined: 2, removed: 1, finished: true })
    expect([existsSync(left), existsSync(writing)]).toEqual([false, true])
    expect(await store.get(ref)).toStrictEqual(bytes('x'))
  })

  it('goes on where the last portion ended, until it is through', async () => {
    const store = fileStore({ dir, keepForMs })
    const refs = await Promise.all(Array.from({ length: 25 }, (_, n) => store.put(`${n}`, bytes('x'))))
    for (const ref of refs) age(fileOf(ref), keepForMs * 2)
    const reports = []
    do reports.push(await store.sweep({ examineMax: 10 }))
    while (!reports.at(-1)!.finished)
    expect(reports.map(({ removed }) => removed)).toEqual([10, 10, 5])
    expect(files()).toEqual([])
    expect(await store.sweep()).toMatchObject({ examined: 0, finished: true })
    age(fileOf(await store.put('later', bytes('x'))), keepForMs * 2)
    expect(await store.sweep()).toMatchObject({ removed: 1, finished: true })
  })

  it('passes what it keeps, and comes to the end all the same', async () => {
    const store = fileStore({ dir, keepForMs })
    await Promise.all(Array.from({ length: 25 }, (_, n) => store.put(`${n}`, bytes('x'))))
    const reports = []
    for (let call = 0; call < 3; call++) reports.push(await store.sweep({ examineMax: 10 }))
    expect(reports.map(({ examined, removed, finished }) => [examined, removed, finished])).toEqual([
      [10, 0, false],
      [10, 0, false],
      [5, 0, true],
    ])
  })

  it('may run many times at once, here and elsewhere, while bodies come', async () => {
    const [one, other] = [fileStore({ dir, keepForMs }), fileStore({ dir, keepForMs })]
    const old = await Promise.all(Array.from({ length: 50 }, (_, n) => one.put(`${n}`, bytes('x'))))
    for (const ref of old) age(fileOf(ref), keepForMs * 2)
    const sweeps = Promise.all([one.sweep(), one.sweep(), other.sweep()])
    const refs = await Promise.all(Array.from({ length: 50 }, (_, n) => other.put(`${n}`, bytes('y'))))
    expect((await sweeps).reduce((sum, { removed }) => sum + removed, 0)).toBe(50)
    for (const ref of refs) expect(await one.get(ref)).toStrictEqual(bytes('y'))
  })

  it('of a store that is not there yet finds nothing', async () => {
    expect(await fileStore({ dir, keepForMs }).sweep()).toMatchObject({ examined: 0, finished: true })
  })

  it('that fails says so, and the next one begins anew', async () => {
    const store = fileStore({ dir, keepForMs })
    let ref: string
    do ref = await store.put('a', bytes('x'))
    while (ref.startsWith('posthaste-file:00'))
    rmSync(join(dir, '00'), { recursive: true, force: true })
    age(fileOf(ref), keepForMs * 2)
    writeFileSync(join(dir, '00'), 'no directory')
    await expect(store.sweep()).rejects.toThrow(withCode('UNAVAILABLE'))
    rmSync(join(dir, '00'))
    expect(await store.sweep()).toMatchObject({ removed: 1, finished: true })
  })
})

describe('the options of a file store', () => {
  it('are refused with every mistake at once', async () => {
    expect(() => fileStore({ dir: '', keepForMs: 5, bytesMax: 2 ** 31, path: 'x' } as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['path', 'dir', 'keepForMs', 'bytesMax'].map((path) => expect.objectContaining({ path })),
      }),
    )
    await expect(fileStore({ dir }).sweep({ examineMax: 0 })).rejects.toThrow(withCode('CONFIG_INVALID'))
    await expect(fileStore({ dir }).sweep({ limit: 5 } as never)).rejects.toThrow(withCode('CONFIG_INVALID'))
  })
})
