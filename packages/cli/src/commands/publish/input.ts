import { createReadStream } from 'node:fs'
import { PosthasteError } from '@posthaste/contracts'
import type { Io } from '../../io.ts'

/** Bytes of a file, or of standard input; what cannot be read fails as it is read. */
export function inputOf(file: string | undefined, { input, inputIsTerminal, err }: Io): AsyncIterable<Uint8Array> {
  if (file !== undefined && file !== '-') return fileBytes(file)
  if (inputIsTerminal) void err.write('reading from the terminal; end with Ctrl-D\n')
  return input
}

async function* fileBytes(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path) as AsyncIterable<Uint8Array>
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
    throw new PosthasteError('NOT_FOUND', `the file ${path} cannot be read: ${code}`, { cause })
  }
}

/** All of it, without the line feed that an editor has put at its end. */
export async function wholeOf(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of input) chunks.push(chunk)
  const all = Buffer.concat(chunks)
  const end = all.at(-1) === 0x0a ? (all.at(-2) === 0x0d ? 2 : 1) : 0
  return all.subarray(0, all.length - end)
}

/** Line by line, numbered from 1; empty ones are left out. */
export async function* linesOf(
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly number: number; readonly text: string }> {
  const decoder = new TextDecoder()
  let number = 0
  let left = ''
  for await (const chunk of input) {
    const lines = (left + decoder.decode(chunk, { stream: true })).split('\n')
    left = lines.pop()!
    for (const text of lines) {
      number += 1
      if (text.trim() !== '') yield { number, text }
    }
  }
  left += decoder.decode()
  if (left.trim() !== '') yield { number: number + 1, text: left }
}
