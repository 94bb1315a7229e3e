// bench/system/peers/gorilla/main.go: a hub a channel, in the manner of the library's chat example.
//
// Each client has a buffered queue, a goroutine that reads and one that writes. A message is encoded once, as a
// PreparedMessage, and each client's writer sends it as a frame of its own: the chat example's joining of queued texts into
// one message would change the bytes. A client whose queue is full is dropped, as in the example.
//
// A subscriber opens /sub/<channel> and is told "joined" once its subscription stands; a publisher opens /pub and sends
// `<channel>\n<payload>`. Usage: hub PORT
package main

import (
	"bytes"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	queueMessages = 1024 // the example has 256, which is 5 ms of 50,000 messages a second
	writeWait     = 10 * time.Second
	pongWait      = 60 * time.Second
	pingPeriod    = pongWait * 9 / 10
)

type client struct {
	hub   *hub
	conn  *websocket.Conn
	queue chan *websocket.PreparedMessage
}

type hub struct {
	clients    map[*client]bool
	register   chan *client
	unregister chan *client
	broadcast  chan *websocket.PreparedMessage
}

var (
	hubs     = make(map[string]*hub)
	hubsLock sync.RWMutex
	upgrader = websocket.Upgrader{
		ReadBufferSize:  1024,
		WriteBufferSize: 1024,
		WriteBufferPool: &sync.Pool{},
	}
	joined *websocket.PreparedMessage
)

func (h *hub) run() {
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
			c.queue <- joined // the queue is new and empty
		case c := <-h.unregister:
			h.drop(c)
		case message := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.queue <- message:
				default:
					h.drop(c)
				}
			}
		}
	}
}

func (h *hub) drop(c *client) {
	if h.clients[c] {
		delete(h.clients, c)
		close(c.queue)
	}
}

func hubOf(name string, make_ bool) *hub {
	hubsLock.RLock()
	h := hubs[name]
	hubsLock.RUnlock()
	if h != nil || !make_ {
		return h
	}
	hubsLock.Lock()
	defer hubsLock.Unlock()
	if h = hubs[name]; h == nil {
		h = &hub{
			clients:    make(map[*client]bool),
			register:   make(chan *client),
			unregister: make(chan *client),
			broadcast:  make(chan *websocket.PreparedMessage, queueMessages),
		}
		hubs[name] = h
		go h.run()
	}
	return h
}

func (c *client) read() {
	defer func() {
		c.hub.unregister <- c
		c.conn.Close()
	}()
	c.conn.SetReadDeadline(time.Now().Add(pongWait))
	c.conn.SetPongHandler(func(string) error {
		return c.conn.SetReadDeadline(time.Now().Add(pongWait))
	})
	for {
		if _, _, err := c.conn.NextReader(); err != nil {
			return
		}
	}
}

func (c *client) write() {
	ticker := time.NewTicker(pingPeriod)
	defer func() {
		ticker.Stop()
		c.conn.Close()
	}()
	for {
		select {
		case message, open := <-c.queue:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if !open {
				c.conn.WriteMessage(websocket.CloseMessage, nil)
				return
			}
			if c.conn.WritePreparedMessage(message) != nil {
				return
			}
		case <-ticker.C:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if c.conn.WriteMessage(websocket.PingMessage, nil) != nil {
				return
			}
		}
	}
}

func subscribe(response http.ResponseWriter, request *http.Request) {
	conn, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	h := hubOf(strings.TrimPrefix(request.URL.Path, "/sub/"), true)
	c := &client{hub: h, conn: conn, queue: make(chan *websocket.PreparedMessage, queueMessages)}
	h.register <- c
	go c.write()
	go c.read()
}

func publish(response http.ResponseWriter, request *http.Request) {
	conn, err := upgrader.Upgrade(response, request, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return
		}
		name, payload, found := bytes.Cut(message, []byte{'\n'})
		h := hubOf(string(name), false)
		if !found || h == nil {
			continue
		}
		prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, payload)
		if err != nil {
			log.Fatal(err)
		}
		h.broadcast <- prepared
	}
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: hub PORT")
	}
	var err error
	if joined, err = websocket.NewPreparedMessage(websocket.TextMessage, []byte("joined")); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/sub/", subscribe)
	http.HandleFunc("/pub", publish)
	log.Fatal(http.Serve(listener, nil))
}
