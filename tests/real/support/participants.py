"""Participants in rooms, with LiveKit's native client.

Reads one JSON command per line from stdin, and writes JSON responses to stdout. Events of a room are written when they
occur. Each person is a separate connection with a name from the suite.
"""

import asyncio
import json
import sys

from livekit import rtc

SOURCES = {
    "camera": rtc.TrackSource.SOURCE_CAMERA,
    "microphone": rtc.TrackSource.SOURCE_MICROPHONE,
    "screen_share": rtc.TrackSource.SOURCE_SCREENSHARE,
    "screen_share_audio": rtc.TrackSource.SOURCE_SCREENSHARE_AUDIO,
}
NAMES = {number: name for name, number in SOURCES.items()}
# The client waits about ten seconds for a rejection.
PATIENCE = 20


def tell(**message):
    print(json.dumps(message), flush=True)


class Person:
    """One connection to one room."""

    def __init__(self, who):
        self.who = who
        self.room = rtc.Room()
        self.background = []
        self.publications = {}
        events = {
            "participant_connected": self.meet,
            "participant_disconnected": lambda other: self.saw("left", identity=other.identity),
            "track_subscribed": self.receive,
            "track_muted": lambda other, track: self.saw("muted", identity=other.identity, source=NAMES[track.source]),
            "data_received": self.hear,
            "disconnected": lambda reason: self.saw("disconnected", reason=rtc.DisconnectReason.Name(reason)),
        }
        for event, handler in events.items():
            self.room.on(event, handler)

    def saw(self, event, **details):
        tell(who=self.who, event=event, **details)

    def meet(self, other):
        self.saw("joined", identity=other.identity, attributes=dict(other.attributes))

    def run(self, work):
        self.background.append(asyncio.create_task(work))

    def hear(self, packet):
        self.saw("data", identity=packet.participant and packet.participant.identity, text=packet.data.decode())

    def receive(self, track, publication, other):
        audio = track.kind == rtc.TrackKind.KIND_AUDIO
        stream = rtc.AudioStream(track) if audio else rtc.VideoStream(track)

        async def first_frame():
            async for _ in stream:
                self.saw("media", identity=other.identity, source=NAMES[publication.source])
                break
            await stream.aclose()

        self.run(first_frame())

    async def join(self, url, token):
        await self.room.connect(url, token)
        me = self.room.local_participant
        return {"room": self.room.name, "identity": me.identity}

    async def publish(self, source):
        audio = source in ("microphone", "screen_share_audio")
        media = rtc.AudioSource(48000, 1) if audio else rtc.VideoSource(320, 180)
        create = rtc.LocalAudioTrack.create_audio_track if audio else rtc.LocalVideoTrack.create_video_track
        # Before publishing, because the server counts a track when its media arrives.
        self.run(speak(media) if audio else show(media))
        publication = await self.room.local_participant.publish_track(
            create(source, media), rtc.TrackPublishOptions(source=SOURCES[source])
        )
        return {"sid": publication.sid}

    async def send(self, text):
        await self.room.local_participant.publish_data(text, topic="suite")

    async def update(self, name=None, metadata=None, attributes=None):
        me = self.room.local_participant
        if name is not None:
            await me.set_name(name)
        if metadata is not None:
            await me.set_metadata(metadata)
        if attributes is not None:
            await me.set_attributes(attributes)

    async def leave(self):
        for task in self.background:
            task.cancel()
        await self.room.disconnect()


async def speak(source):
    silence = rtc.AudioFrame.create(48000, 1, 480)
    while True:
        await source.capture_frame(silence)


async def show(source):
    grey = rtc.VideoFrame(320, 180, rtc.VideoBufferType.RGBA, bytearray(b"\x80" * (320 * 180 * 4)))
    while True:
        source.capture_frame(grey)
        await asyncio.sleep(1 / 15)


async def obey(people, number, who, do, arguments):
    try:
        if do == "join":
            people[who] = Person(who)
        person = people.pop(who) if do == "leave" else people[who]
        result = await asyncio.wait_for(getattr(person, do)(**arguments), PATIENCE)
        tell(number=number, result=result)
    except Exception as error:  # Every error is returned to the suite.
        tell(number=number, error=f"{type(error).__name__}: {error}")


async def main():
    lines = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    people, tasks = {}, set()
    tell(ready=True)
    while line := await lines.readline():
        task = asyncio.create_task(obey(people, **json.loads(line)))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


asyncio.run(main())
