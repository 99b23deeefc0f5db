import type { Library, Subject } from './subject.ts'

/** The subjects of a library; imported here, so that a process runs one of them and no other. */
export async function subjectsOf(library: Library): Promise<readonly Subject[]> {
  if (library === 'ours') return (await import('./ours.ts')).ours()
  return library === 'cockatiel' ? (await import('./cockatiel.ts')).cockatiel : (await import('./opossum.ts')).opossum
}
