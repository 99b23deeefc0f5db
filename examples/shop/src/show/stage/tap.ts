/** Something that can be shut for a while: who comes meanwhile waits until it is open again. */
export interface Tap {
  pass(): Promise<void> | undefined
  shut(): void
  open(): void
}

/** A tap, open at first. */
export function tap(): Tap {
  let opening: Promise<void> | undefined
  let release: (() => void) | undefined
  return {
    pass: () => opening,
    shut() {
      opening ??= new Promise((resolve) => {
        release = resolve
      })
    },
    open() {
      release?.()
      opening = undefined
    },
  }
}
