/** An inline permission to break one ban: `tidy-allow <ban>: <reason>` on the line that breaks it or the one above. */
export interface Exemption {
  readonly ban: string
  readonly line: number
  readonly reason: string
  used: boolean
}

/** A stretch of text in which exemptions may be written, and the line it begins at. */
export interface Commented {
  readonly text: string
  readonly line: number
}

/** Reads the exemptions out of comments; one without a reason has an empty `reason`. */
export function exemptionsIn(comments: readonly Commented[]): readonly Exemption[] {
  return comments.flatMap(({ text, line }) =>
    text.split('\n').flatMap((content, offset) => {
      const match = /\btidy-allow ([\w-]+)(?::[ \t]*(.*?))?(?:\*\/|-->)?\s*$/.exec(content)
      return match ? [{ ban: match[1]!, line: line + offset, reason: match[2]?.trim() ?? '', used: false }] : []
    }),
  )
}

/** Whether the ban is permitted at the line; marks every permission that says so as used. */
export function isExempt(exemptions: readonly Exemption[], ban: string, line: number): boolean {
  const permitting = exemptions.filter((exemption) => {
    const distance = line - exemption.line
    return exemption.ban === ban && exemption.reason !== '' && (distance === 0 || distance === 1)
  })
  for (const exemption of permitting) exemption.used = true
  return permitting.length > 0
}
