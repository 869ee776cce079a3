// The browser's notifications: whether it has them, and showing one. Through the service worker where there is one: phones know no other way.

export type NotifyAbility = "none" | "ask" | "refused" | "granted";

export function notifyAbility(): NotifyAbility {
  if (typeof Notification === "undefined") return "none";
  return { default: "ask", denied: "refused", granted: "granted" }[Notification.permission] as NotifyAbility;
}

/** One at a time: a newer one takes its place. */
const TAG = "gossamer-stopped";

export async function notify(title: string, body: string): Promise<void> {
  if (notifyAbility() !== "granted") return;
  const options = { body, tag: TAG, icon: "/icon-192.png" };
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  if (registration?.active) return registration.showNotification(title, options);
  const shown = new Notification(title, options);
  shown.onclick = () => {
    window.focus();
    shown.close();
  };
}
