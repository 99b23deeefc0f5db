import {
  type Call,
  type Cancellation,
  type MaybePromise,
  PosthasteError,
  type StreamSource,
} from '@posthaste/contracts'
import { neverCancelled } from '../../pipeline/cancellation.ts'
import { follow } from '../../pipeline/continuation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'

/** What becomes of an item that was read, by its place in the stream, from 0. What it throws breaks the stream off. */
export type ItemCheck = (item: unknown, index: number) => MaybePromise<unknown>

/** What a stream is read with. */
export interface ItemStreamInit {
  /** Ends the stream with its reason, after the items that were read before. Default: nobody can. */
  readonly cancellation?: Cancellation | undefined
  /** What is read fails with, as the reader may know it. */
  readonly failureOf: (thrown: unknown) => PosthasteError
  /** Told of a failure of what is read, or of an item that did not pass; not of a cancellation. Before the reader is. */
  readonly onFailure?: ((failure: PosthasteError) => void) | undefined
  /** Told that the reader wants no more, before what is read is. */
  readonly onLeft?: (() => void) | undefined
}

interface Reader {
  resolve(result: IteratorResult<unknown, undefined>): void
  reject(failure: PosthasteError): void
}

type Source = Iterator<unknown> | AsyncIterator<unknown>

const done: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/**
 * A stream as it is read, once, by one reader: the items in order, each checked, and exactly one end. Whatever the end is, it
 * lets go of what is read: the reader leaves, an item does not pass, the work is cancelled, or the items are over. One item is
 * asked for at a time and only when the reader asks; several questions at a time are answered in their order.
 *
 * A cancellation is told at once, though what is read may not heed it; {@link ended} waits for that.
 *
 * Hot path: one promise per item, beside that of what is read.
 */
export class ItemStream implements AsyncIterableIterator<unknown, undefined> {
  /** Resolves when the stream is over and what was read has been let go of, in whatever way. Never rejects. */
  readonly ended: Promise<void>
  readonly #source: StreamSource<unknown>
  readonly #init: ItemStreamInit
  readonly #checks: ItemCheck[] = []
  /** A value of an iterable that is not asynchronous may be promised: `for await` waits for it, and so does this. */
  readonly #isPlain: boolean
  #leave: () => void = nothing
  #settle: () => void = nothing
  #iterator: Source | undefined = undefined
  #asked: PromiseLike<unknown> | undefined = undefined
  #reader: Reader | undefined = undefined
  #line: Reader[] | undefined = undefined
  #head: Promise<IteratorResult<unknown, undefined>> | undefined = undefined
  #beginning: Promise<this> | undefined = undefined
  #untold: PosthasteError | undefined = undefined
  #over = false
  #index = 0

  /** @param source iterated once; not before the first item is asked for, except to let go of it */
  constructor(source: StreamSource<unknown>, init: ItemStreamInit) {
    this.#source = source
    this.#init = init
    this.#isPlain = !(Symbol.asyncIterator in source)
    this.ended = new Promise((resolve) => {
      this.#settle = resolve
    })
    const leave = (init.cancellation ?? neverCancelled).onCancel((reason) => this.cancel(reason))
    if (this.#over) leave()
    else this.#leave = leave
  }

  /** Whether an item was asked for, so that what is read is not what it was. */
  get begun(): boolean {
    return this.#iterator !== undefined
  }

  /** Has all items pass a check, after those that were added before. Only before the first one is asked for. */
  check(check: ItemCheck): this {
    this.#checks.push(check)
    return this
  }

  /**
   * Asks for the first item, which the reader then finds ready. Resolves when it, or the end, is there.
   * @throws what the stream fails with before its first item, as the reader will be told, too
   */
  begin(): Promise<this> {
    if (this.#beginning === undefined) {
      const head = this.#ask()
      this.#head = head
      this.#beginning = head.then(() => this)
    }
    return this.#beginning
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    const head = this.#head
    if (head === undefined) return this.#ask()
    this.#head = undefined
    return head
  }

  /** Wants no more. Does not wait for what is read, which may be busy. */
  return(): Promise<IteratorReturnResult<undefined>> {
    this.#head = undefined
    if (!this.#over) {
      this.#close()
      this.#init.onLeft?.()
      this.#finish(undefined)
    }
    this.#untold = undefined
    return Promise.resolve(done)
  }

  /** Ends the stream as a cancellation would, unless it has ended. */
  cancel(reason: PosthasteError): void {
    if (!this.#over) this.#finish(reason)
  }

  #ask(): Promise<IteratorResult<unknown, undefined>> {
    return new Promise((resolve, reject) => {
      const reader = { resolve, reject }
      if (this.#reader === undefined) this.#serve(reader)
      else if (this.#line === undefined) this.#line = [reader]
      else this.#line.push(reader)
    })
  }

  #serve(reader: Reader): void {
    if (this.#over) {
      this.#tellEnd(reader)
      return
    }
    this.#reader = reader
    let result: MaybePromise<IteratorResult<unknown>>
    try {
      this.#iterator ??= iteratorOf(this.#source)
      result = this.#iterator.next()
    } catch (thrown) {
      this.#onSourceFailed(thrown)
      return
    }
    if (isPromiseLike(result)) this.#asked = follow(result, this.#onResult, this.#onSourceFailed)
    else this.#onResult(result)
  }

  readonly #onResult = (result: IteratorResult<unknown>): void => {
    this.#asked = undefined
    if (this.#over) return
    if (result.done === true) {
      this.#iterator = ended
      this.#finish(undefined)
    } else if (this.#isPlain && isPromiseLike(result.value)) {
      void follow(result.value, this.#onItem, this.#onItemFailed)
    } else {
      this.#onItem(result.value)
    }
  }

  /** What has failed has ended: it is not told that nobody wants more. */
  readonly #onSourceFailed = (thrown: unknown): void => {
    this.#asked = undefined
    if (this.#over) return
    this.#iterator = ended
    this.#fail(this.#init.failureOf(thrown))
  }

  readonly #onItem = (item: unknown): void => {
    if (this.#over) return
    let checked: MaybePromise<unknown>
    try {
      checked = this.#checked(item, this.#index++)
    } catch (thrown) {
      this.#onItemFailed(thrown)
      return
    }
    if (this.#isChecked && isPromiseLike(checked)) void follow(checked, this.#deliver, this.#onItemFailed)
    else this.#deliver(checked)
  }

  /** An item that nobody checked is what it is, even if it has a method `then`. */
  get #isChecked(): boolean {
    return this.#checks.length > 0
  }

  #checked(item: unknown, index: number, from = 0): MaybePromise<unknown> {
    let value = item
    for (let at = from; at < this.#checks.length; at++) {
      const checked = this.#checks[at]!(value, index)
      if (isPromiseLike(checked)) return checked.then((later) => this.#checked(later, index, at + 1))
      value = checked
    }
    return value
  }

  readonly #onItemFailed = (thrown: unknown): void => {
    if (!this.#over) this.#fail(this.#init.failureOf(thrown))
  }

  readonly #deliver = (value: unknown): void => {
    const reader = this.#reader
    this.#reader = undefined
    reader?.resolve({ done: false, value })
    const waiting = this.#line?.shift()
    if (waiting !== undefined) this.#serve(waiting)
  }

  #fail(failure: PosthasteError): void {
    this.#close()
    this.#init.onFailure?.(failure)
    this.#finish(failure)
  }

  /** Before anybody is told, who may cancel in turn what this listens to. */
  #close(): void {
    this.#over = true
    this.#leave()
    this.#leave = nothing
  }

  /** The one end. A failure is told to whoever asks next, once; afterwards, and otherwise, the stream is over. */
  #finish(failure: PosthasteError | undefined): void {
    this.#close()
    this.#untold = failure
    const readers = [this.#reader, ...(this.#line ?? [])]
    this.#reader = undefined
    this.#line = undefined
    for (const reader of readers) if (reader !== undefined) this.#tellEnd(reader)
    this.#letGo()
  }

  #tellEnd(reader: Reader): void {
    const failure = this.#untold
    this.#untold = undefined
    if (failure === undefined) reader.resolve(done)
    else reader.reject(failure)
  }

  #letGo(): void {
    let left: unknown
    try {
      left = (this.#iterator ?? iteratorOf(this.#source)).return?.() ?? this.#asked
    } catch {
      // It was to end, and what it says of that is for nobody.
    }
    if (isPromiseLike(left)) void follow(left, this.#settle, this.#settle)
    else this.#settle()
  }
}

const nothing = (): void => {}

/** What has ended by itself. */
const ended: Source = Object.freeze({ next: () => done })

function iteratorOf(source: StreamSource<unknown>): Source {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]()
}

/** Whether a value is a stream as its maker may pass it: anything that can be iterated, except text, which is one value. */
export function isStreamSource(value: unknown): value is StreamSource<unknown> {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}

/**
 * The stream that a stack answers with: filters of the application may have made one of their own.
 * @throws INTERNAL where it is none
 */
export function answeredStream(answer: unknown, { target, cancellation }: Call): ItemStream {
  if (answer instanceof ItemStream) return answer
  if (!isStreamSource(answer)) throw notAStream('INTERNAL', `the output of ${target}`, answer)
  return new ItemStream(answer, {
    cancellation,
    failureOf: (thrown) => PosthasteError.from(thrown, 'INTERNAL', target),
  })
}

/** What is wrong with something that is no stream where one has to be. */
export function notAStream(code: 'INTERNAL' | 'PAYLOAD_INVALID', what: string, value: unknown): PosthasteError {
  const given = value === null ? 'null' : typeof value
  const message = `must be something to iterate, not ${given}`
  return new PosthasteError(code, `${what} is a stream and ${message}`, { issues: [{ path: '', message }] })
}
