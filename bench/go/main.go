// LiveKit's token endpoint for Lambda in Go.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/livekit/protocol/auth"
)

var palette = []string{
	"#E74C3C", "#8E44AD", "#6C5CE7", "#2E86AB", "#1E3A8A", "#059669", "#D97706", "#DC2626",
	"#7C2D12", "#92400E", "#78350F", "#374151", "#0D9488", "#7C3AED", "#5B21B6",
}

type secret struct {
	URL    string `json:"LIVEKIT_URL"`
	Key    string `json:"LIVEKIT_API_KEY"`
	Secret string `json:"LIVEKIT_API_SECRET"`
}

type claims struct {
	jwt.RegisteredClaims
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name"`
	Picture       string `json:"picture"`
}

type tokenRequest struct {
	RoomName string `json:"room_name"`
	Metadata string `json:"participant_metadata"`
}

type tokenResponse struct {
	ServerURL       string `json:"server_url"`
	Token           string `json:"participant_token"`
	RoomName        string `json:"room_name"`
	ParticipantName string `json:"participant_name"`
}

type endpoint struct {
	secret  secret
	keys    keyfunc.Keyfunc
	parser  *jwt.Parser
	origins []string
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	endpoint, err := start(context.Background())
	if err != nil {
		slog.Error("not started", "error", err)
		os.Exit(1)
	}
	lambda.Start(endpoint.handle)
}

// start fetches the secret and the keys concurrently.
func start(ctx context.Context) (*endpoint, error) {
	e := &endpoint{
		origins: strings.Split(os.Getenv("ALLOWED_ORIGINS"), ","),
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{"RS256", "ES256"}),
			jwt.WithAudience(os.Getenv("OIDC_AUDIENCE")),
			jwt.WithIssuer(os.Getenv("OIDC_ISSUER")),
			jwt.WithExpirationRequired(),
			jwt.WithLeeway(5*time.Second),
		),
	}
	var secretErr, keysErr error
	var both sync.WaitGroup
	both.Go(func() { e.secret, secretErr = fetchSecret(ctx) })
	both.Go(func() { e.keys, keysErr = fetchKeys(ctx) })
	both.Wait()
	if secretErr != nil {
		return nil, secretErr
	}
	return e, keysErr
}

func fetchSecret(ctx context.Context) (secret, error) {
	var found secret
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return found, err
	}
	answer, err := secretsmanager.NewFromConfig(cfg).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{
		SecretId: aws.String(os.Getenv("LIVEKIT_SECRET_ID")),
	})
	if err != nil {
		return found, err
	}
	return found, json.Unmarshal([]byte(aws.ToString(answer.SecretString)), &found)
}

func fetchKeys(ctx context.Context) (keyfunc.Keyfunc, error) {
	uri := os.Getenv("OIDC_JWKS_URI")
	if uri == "" {
		answer, err := http.Get(os.Getenv("OIDC_ISSUER") + "/.well-known/openid-configuration")
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		var discovery struct {
			JwksURI string `json:"jwks_uri"`
		}
		if err := json.NewDecoder(answer.Body).Decode(&discovery); err != nil {
			return nil, err
		}
		uri = discovery.JwksURI
	}
	return keyfunc.NewDefaultCtx(ctx, []string{uri})
}

func (e *endpoint) handle(ctx context.Context, request events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	origin := request.Headers["origin"]
	person, ok := e.authenticate(request.Headers["authorization"])
	if !ok {
		return e.refuse(http.StatusUnauthorized, "invalid_token", origin)
	}
	if person.Email == "" {
		return e.refuse(http.StatusNotFound, "email_not_set", origin)
	}
	if !person.EmailVerified {
		return e.refuse(http.StatusForbidden, "email_not_verified", origin)
	}
	asked, err := parse(request)
	if err != nil {
		return e.refuse(http.StatusBadRequest, "invalid_request", origin)
	}
	if asked.RoomName == "" {
		asked.RoomName = "room-" + uuid.NewString()
	}
	if person.Name == "" {
		person.Name = "Unnamed User"
	}
	digest := sha256.Sum256([]byte(person.Email))
	color := palette[binary.BigEndian.Uint32(digest[:4])%uint32(len(palette))]
	attributes := map[string]string{"color": color, "role": "participant"}
	if person.Picture != "" {
		attributes["imageUrl"] = person.Picture
	}
	token, err := auth.NewAccessToken(e.secret.Key, e.secret.Secret).
		SetIdentity(person.Email).
		SetName(person.Name).
		SetValidFor(10 * time.Minute).
		SetMetadata(asked.Metadata).
		SetAttributes(attributes).
		SetVideoGrant(&auth.VideoGrant{RoomJoin: true, Room: asked.RoomName}).
		ToJWT()
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, fmt.Errorf("sign: %w", err)
	}
	slog.InfoContext(ctx, "issued", "room", asked.RoomName, "sub", person.Subject)
	return e.answer(http.StatusCreated, tokenResponse{
		ServerURL:       e.secret.URL,
		Token:           token,
		RoomName:        asked.RoomName,
		ParticipantName: person.Name,
	}, origin)
}

func (e *endpoint) authenticate(header string) (*claims, bool) {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "bearer") {
		return nil, false
	}
	var found claims
	parsed, err := e.parser.ParseWithClaims(token, &found, e.keys.Keyfunc)
	return &found, err == nil && parsed.Valid && found.Subject != ""
}

func parse(request events.APIGatewayV2HTTPRequest) (tokenRequest, error) {
	var asked tokenRequest
	body := []byte(request.Body)
	if request.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(request.Body)
		if err != nil {
			return asked, err
		}
		body = decoded
	}
	if len(body) == 0 {
		return asked, nil
	}
	return asked, json.Unmarshal(body, &asked)
}

func (e *endpoint) refuse(status int, code, origin string) (events.APIGatewayV2HTTPResponse, error) {
	return e.answer(status, map[string]string{"code": code}, origin)
}

func (e *endpoint) answer(status int, body any, origin string) (events.APIGatewayV2HTTPResponse, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	headers := map[string]string{"Cache-Control": "no-store", "Content-Type": "application/json"}
	for _, allowed := range e.origins {
		if origin != "" && allowed == origin {
			headers["Access-Control-Allow-Origin"] = origin
			headers["Vary"] = "Origin"
		}
	}
	return events.APIGatewayV2HTTPResponse{StatusCode: status, Headers: headers, Body: string(text)}, nil
}
