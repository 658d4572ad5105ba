"""A peer of the fan-out figures: the ConnectionManager of FastAPI's documentation on uvicorn. What is posted, a
message a line, is sent to everybody. usage: python fastapi_fanout.py deflate|plain PORT"""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect


class ConnectionManager:
    def __init__(self):
        self.active_connections: list[WebSocket] = []

    async def connect(self, websocket: WebSocket):
        await websocket.accept()
        self.active_connections.append(websocket)

    def disconnect(self, websocket: WebSocket):
        if websocket in self.active_connections:
            self.active_connections.remove(websocket)

    async def broadcast(self, message: str):
        for connection in list(self.active_connections):
            try:
                await connection.send_text(message)
            except Exception:
                self.disconnect(connection)


app = FastAPI()
manager = ConnectionManager()


@app.websocket("/ws/stats")
async def stats(websocket: WebSocket):
    await manager.connect(websocket)
    try:
        while True:
            await websocket.receive_text()
    except WebSocketDisconnect:
        manager.disconnect(websocket)


@app.post("/publish", status_code=204)
async def publish(request: Request):
    for message in (await request.body()).decode().split("\n"):
        await manager.broadcast(message)
    return Response(status_code=204)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[2]),
        ws="websockets",
        ws_per_message_deflate=sys.argv[1] == "deflate",
        ws_ping_interval=30,
        log_level="warning",
        access_log=False,
        # Whoever publishes may pause while everything is delivered.
        timeout_keep_alive=120,
        backlog=4096,
    )
