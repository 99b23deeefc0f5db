/** To be filled. */
export {}
