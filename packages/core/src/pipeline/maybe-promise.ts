import type { MaybePromise } from '@posthaste/contracts'

/** Whether a value has to be waited for. */
export function isPromiseLike<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/**
 * Goes on with a value: at once where it is there, later where it is promised. `failed` sees rejections only, not what
 * `ok` throws. Anything that can be awaited will do: not all of it chains like a promise, query builders above all. Hot path:
 * a value that is there costs no promise, and a promise is taken as it is.
 *
 * Not named `then`: a module with an export of that name is taken for a promise by `import()`.
 */
export function andThen<T, R>(
  value: MaybePromise<T>,
  ok: (value: T) => MaybePromise<R>,
  failed?: (thrown: unknown) => MaybePromise<R>,
): MaybePromise<R> {
  return isPromiseLike(value) ? Promise.resolve(value).then(ok, failed) : ok(value)
}

/**
 * Runs something that may throw, reject, return or resolve, and goes on with whichever it was. Hot path: nothing is
 * awaited that need not be. What `ok` throws does not come back to `failed`.
 */
export function attempt<T, R>(
  run: () => MaybePromise<T>,
  ok: (value: T) => MaybePromise<R>,
  failed: (thrown: unknown) => MaybePromise<R>,
): MaybePromise<R> {
  let value: MaybePromise<T>
  try {
    value = run()
  } catch (thrown) {
    return failed(thrown)
  }
  return andThen(value, ok, failed)
}
