/** A manifest as this workspace writes it; fields that packing leaves alone are not named. */
export interface Manifest {
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>
}

/**
 * The manifest that is published: without the `source` condition, by which only this workspace runs from TypeScript.
 * Node refuses to strip types below node_modules, so a user who sets that condition for other reasons would fail.
 */
export function publishedManifest<M extends Manifest>(manifest: M): M {
  const exports = Object.entries(manifest.exports ?? {}).map(([subpath, target]) => {
    if (typeof target === 'string') return [subpath, target] as const
    const { source: _, ...conditions } = target
    return [subpath, conditions] as const
  })
  return { ...manifest, exports: Object.fromEntries(exports) }
}
