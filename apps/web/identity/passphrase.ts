// Short ones are guessed from the key file alone, however slowly it is opened.
export const PASSPHRASE_LENGTH_MIN = 8;
