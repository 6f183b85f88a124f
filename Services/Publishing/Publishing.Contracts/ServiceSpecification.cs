using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmMarketplace.Publishing.Contracts;

/// <summary>What a provider declares about one version of a service.</summary>
/// <param name="Description">For people, and for search by meaning.</param>
/// <param name="Category">One of <see cref="ServiceCategories.All"/>.</param>
/// <param name="Tags">Free words, lower case.</param>
/// <param name="Capabilities">What it can do.</param>
/// <param name="Endpoint">Where and how it is called.</param>
/// <param name="Model">Facts of the model behind it.</param>
/// <param name="Pricing">What it costs.</param>
/// <param name="Sla">What the provider promises.</param>
/// <param name="Compliance">Compliance facts.</param>
/// <param name="Documentation">Markdown, or null.</param>
/// <param name="Examples">Sample calls.</param>
/// <param name="OpenApiSha256">Lower-case hex SHA-256 of the OpenAPI 3.1 document, or null when there is none; the event <c>marketplace.service.openapi_published.v1</c> tells the document itself.</param>
public sealed record ServiceSpecification(
    string Description,
    string Category,
    IReadOnlyList<string> Tags,
    IReadOnlyList<Capability> Capabilities,
    ServiceEndpoint Endpoint,
    ModelFacts Model,
    ServicePricing Pricing,
    ServiceLevel Sla,
    ComplianceFacts Compliance,
    string? Documentation,
    IReadOnlyList<ServiceExample> Examples,
    string? OpenApiSha256);

/// <summary>The categories of services.</summary>
public static class ServiceCategories
{
    /// <summary>All of them, in the order in which people see them.</summary>
    public static IReadOnlyList<string> All { get; } =
    [
        "text-generation", "embeddings", "classification", "translation", "summarization", "question-answering",
        "sentiment-analysis", "code-generation", "image-generation", "speech-to-text", "text-to-speech", "other",
    ];
}

/// <summary>Something a service can do.</summary>
/// <param name="Name">Short name.</param>
/// <param name="Description">One sentence.</param>
/// <param name="Parameters">JSON Schema of its parameters, or null.</param>
public sealed record Capability(string Name, string Description, JsonElement? Parameters);

/// <summary>A sample call.</summary>
/// <param name="Title">What it shows.</param>
/// <param name="Request">The body sent.</param>
/// <param name="Response">The body that came back, or null.</param>
public sealed record ServiceExample(string Title, JsonElement Request, JsonElement? Response);

/// <summary>Where and how a service is called.</summary>
/// <param name="Url">
/// Base address, to which the surface's path is appended: <c>https://api.openai.com/v1</c> for <see cref="EndpointProtocol.OpenAi"/> (<c>/chat/completions</c> …),
/// <c>https://generativelanguage.googleapis.com/v1beta</c> for <see cref="EndpointProtocol.Gemini"/> (<c>/models/{model}:generateContent</c>), <c>https://api.anthropic.com/v1</c> for <see cref="EndpointProtocol.Anthropic"/> (<c>/messages</c>), <c>https://{resource}.openai.azure.com/openai/deployments/{deployment}</c> for
/// <see cref="EndpointProtocol.AzureOpenAi"/>, <c>https://{region}-aiplatform.googleapis.com/v1/projects/{project}/locations/{region}</c> for <see cref="EndpointProtocol.Vertex"/>
/// (<c>/publishers/google/models/{model}:generateContent</c>, <c>/publishers/anthropic/models/{model}:rawPredict</c>), <c>https://bedrock-runtime.{region}.amazonaws.com</c> for
/// <see cref="EndpointProtocol.Bedrock"/> (<c>/model/{model}/converse</c>, <c>/model/{model}/invoke</c>).
/// </param>
/// <param name="Protocol">What it speaks.</param>
/// <param name="Authentication">How the marketplace proves itself to it.</param>
public sealed record ServiceEndpoint(string Url, EndpointProtocol Protocol, EndpointAuthentication Authentication)
{
    /// <summary>The surfaces that it serves itself, by the names of <see cref="ServiceSurfaces"/>; null: those that its protocol and category let expect (<see cref="ServiceSurfaces.Of"/>).</summary>
    public IReadOnlyList<string>? Surfaces { get; init; }

    /// <summary>The name of the first address.</summary>
    public const string Primary = "primary";

    /// <summary>The same service at other addresses, with the same protocol; null: there are none.</summary>
    public IReadOnlyList<EndpointReplica>? Replicas { get; init; }

    /// <summary>Share of calls that the first address takes, beside those of <see cref="Replicas"/>.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>ISO 3166-1 alpha-2 code of the country in which the first address is served; null: not said.</summary>
    public string? Residency { get; init; }

    /// <summary>The <c>api-version</c> in the query of each call; only for <see cref="EndpointProtocol.AzureOpenAi"/>, which needs one.</summary>
    public string? ApiVersion { get; init; }

    /// <summary>How long the marketplace waits for the provider, beside <see cref="ServiceLevel.TimeoutMs"/>; null: as that says.</summary>
    public EndpointTimeouts? Timeouts { get; init; }

    /// <summary>What becomes of an answer whose caller leaves.</summary>
    public WhenCallerLeaves WhenCallerLeaves { get; init; }

    /// <summary>The names of its addresses, the first one first.</summary>
    public IEnumerable<string> AddressNames() => (Replicas ?? []).Select(replica => replica.Name).Prepend(Primary);
}

/// <summary>How long the marketplace waits for a provider, in milliseconds; each has its own error code.</summary>
/// <param name="ConnectMs">To a connection, rounded up to whole seconds; null: as the operator says (5 s).</param>
/// <param name="FirstByteMs">From when a call is sent until its answer begins; null: <see cref="ServiceLevel.TimeoutMs"/> for streams, and only the whole time for whole answers.</param>
/// <param name="IdleMs">Between two chunks of a stream; null: <see cref="ServiceLevel.TimeoutMs"/>.</param>
/// <param name="TotalMs">From when a call is sent until its answer is whole; null: <see cref="ServiceLevel.TimeoutMs"/> for whole answers, and as the operator says (an hour) for streams.</param>
public sealed record EndpointTimeouts(int? ConnectMs, int? FirstByteMs, int? IdleMs, int? TotalMs);

/// <summary>What becomes of an answer whose caller leaves.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WhenCallerLeaves>))]
public enum WhenCallerLeaves
{
    /// <summary>The provider is hung up on; what it produced until then is charged, as far as it is known.</summary>
    [JsonStringEnumMemberName("cancel")] Cancel,

    /// <summary>The answer is read to its end, within the time-outs, and charged by the provider's own figures: for providers that charge for the whole answer anyway.</summary>
    [JsonStringEnumMemberName("drain")] Drain,
}

/// <summary>One more address of a service.</summary>
/// <param name="Name">For people and records: lower case, unique within the version; <c>primary</c> is the first address.</param>
/// <param name="Url">Base address.</param>
/// <param name="Weight">Share of calls, from 0 (only when all others fail) to 1 000.</param>
/// <param name="Residency">ISO 3166-1 alpha-2 code of the country in which it is served; null: not said.</param>
public sealed record EndpointReplica(string Name, string Url, int Weight, string? Residency);

/// <summary>What can be called of a service: the names by which usage records know the calls too.</summary>
public static class ServiceSurfaces
{
    /// <summary><c>POST /v1/chat/completions</c>.</summary>
    public const string ChatCompletions = "chat.completions";

    /// <summary><c>POST /v1/completions</c>.</summary>
    public const string Completions = "completions";

    /// <summary><c>POST /v1/responses</c>.</summary>
    public const string Responses = "responses";

    /// <summary><c>POST /v1/messages</c>, Anthropic's.</summary>
    public const string Messages = "messages";

    /// <summary><c>POST /v1/messages/count_tokens</c>, Anthropic's.</summary>
    public const string CountTokens = "messages.count_tokens";

    /// <summary><c>POST /v1/embeddings</c>.</summary>
    public const string Embeddings = "embeddings";

    /// <summary><c>POST /v1/images/generations</c>.</summary>
    public const string ImageGenerations = "images.generations";

    /// <summary><c>POST /v1/audio/transcriptions</c>.</summary>
    public const string AudioTranscriptions = "audio.transcriptions";

    /// <summary><c>POST /v1/audio/translations</c>: into English.</summary>
    public const string AudioTranslations = "audio.translations";

    /// <summary><c>POST /v1/audio/speech</c>.</summary>
    public const string AudioSpeech = "audio.speech";

    /// <summary><c>POST /v1/moderations</c>.</summary>
    public const string Moderations = "moderations";

    /// <summary><c>POST /v1/rerank</c>.</summary>
    public const string Rerank = "rerank";

    /// <summary>Gemini's <c>models/{model}:generateContent</c> and <c>:streamGenerateContent</c>: providers serve it, callers reach it by <c>POST /v1/chat/completions</c>.</summary>
    public const string GenerateContent = "generate_content";

    /// <summary>Bedrock's <c>model/{model}/converse</c> and <c>/converse-stream</c>: providers serve it, callers reach it by <c>POST /v1/chat/completions</c>.</summary>
    public const string Converse = "converse";

    /// <summary><c>POST /api/v1/services/{id}/invoke</c>: what every endpoint of the protocol <c>rest</c> serves, and no other. It is never declared.</summary>
    public const string Invoke = "invoke";

    /// <summary>All that may be declared.</summary>
    public static IReadOnlyList<string> All { get; } =
        [ChatCompletions, Completions, Responses, Messages, CountTokens, Embeddings, ImageGenerations, AudioTranscriptions, AudioTranslations, AudioSpeech, Moderations, Rerank, GenerateContent, Converse];

    /// <summary>The surfaces that an endpoint serves.</summary>
    /// <param name="specification">Of the version whose endpoint it is.</param>
    /// <returns>What it declares; else both of Anthropic's for that protocol, for OpenAI's the one that the category stands for, and at Vertex and Bedrock the model's own: Anthropic's for Claude.</returns>
    public static IReadOnlyList<string> Of(ServiceSpecification specification)
    {
        ArgumentNullException.ThrowIfNull(specification);
        return specification.Endpoint.Surfaces is { Count: > 0 } declared ? declared : specification.Endpoint.Protocol switch
        {
            EndpointProtocol.Anthropic => AnthropicSurfaces,
            EndpointProtocol.Gemini => GeminiSurfaces,
            EndpointProtocol.Vertex => specification.Model.Id.StartsWith("claude", StringComparison.Ordinal) ? AnthropicSurfaces : GeminiSurfaces,
            EndpointProtocol.Bedrock => specification.Model.Id.Contains("anthropic.claude", StringComparison.Ordinal) ? InvokeSurfaces : ConverseSurfaces,
            EndpointProtocol.Rest => RestSurfaces,
            EndpointProtocol.OpenAi or EndpointProtocol.AzureOpenAi => specification.Category switch
            {
                "embeddings" => EmbeddingSurfaces,
                "image-generation" => ImageSurfaces,
                "speech-to-text" => TranscriptionSurfaces,
                "text-to-speech" => SpeechSurfaces,
                _ when specification.Model.OutputModalities.Contains("embedding") => EmbeddingSurfaces,
                _ => ChatSurfaces,
            },
            _ => [],
        };
    }

    private static readonly string[] AnthropicSurfaces = [Messages, CountTokens];
    private static readonly string[] GeminiSurfaces = [GenerateContent];
    private static readonly string[] InvokeSurfaces = [Messages];
    private static readonly string[] ConverseSurfaces = [Converse];
    private static readonly string[] RestSurfaces = [Invoke];
    private static readonly string[] EmbeddingSurfaces = [Embeddings];
    private static readonly string[] ImageSurfaces = [ImageGenerations];
    private static readonly string[] TranscriptionSurfaces = [AudioTranscriptions];
    private static readonly string[] SpeechSurfaces = [AudioSpeech];
    private static readonly string[] ChatSurfaces = [ChatCompletions];
}

/// <summary>Protocol of an endpoint.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<EndpointProtocol>))]
public enum EndpointProtocol
{
    /// <summary>OpenAI-compatible HTTP.</summary>
    [JsonStringEnumMemberName("openai")] OpenAi,

    /// <summary>Anthropic's Messages API: <c>x-api-key</c> and <c>anthropic-version</c>.</summary>
    [JsonStringEnumMemberName("anthropic")] Anthropic,

    /// <summary>Azure OpenAI: a deployment's address, <c>api-key</c> and an <c>api-version</c> in the query.</summary>
    [JsonStringEnumMemberName("azure-openai")] AzureOpenAi,

    /// <summary>Google's Gemini API: <c>x-goog-api-key</c>, the model in the path.</summary>
    [JsonStringEnumMemberName("gemini")] Gemini,

    /// <summary>Google's Vertex AI: Gemini's <c>generateContent</c>, and Anthropic's Messages by <c>rawPredict</c>; the model in the path.</summary>
    [JsonStringEnumMemberName("vertex")] Vertex,

    /// <summary>Amazon Bedrock: <c>Converse</c> for every model, and Anthropic's Messages by <c>InvokeModel</c>; the model in the path.</summary>
    [JsonStringEnumMemberName("bedrock")] Bedrock,

    /// <summary>HTTP described by an OpenAPI document.</summary>
    [JsonStringEnumMemberName("rest")] Rest,

    /// <summary>gRPC.</summary>
    [JsonStringEnumMemberName("grpc")] Grpc,

    /// <summary>WebSocket.</summary>
    [JsonStringEnumMemberName("websocket")] WebSocket,
}

/// <summary>How the marketplace proves itself to a provider.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<EndpointAuthentication>))]
public enum EndpointAuthentication
{
    /// <summary>Not at all.</summary>
    [JsonStringEnumMemberName("none")] None,

    /// <summary>The listing's secret as it stands, in the header that the protocol has for it: <c>Authorization: Bearer</c>, unless it has one of its own.</summary>
    [JsonStringEnumMemberName("api-key")] ApiKey,

    /// <summary>OAuth 2.0 client credentials.</summary>
    [JsonStringEnumMemberName("oauth2")] OAuth2,

    /// <summary>Access tokens of a Google service account; the secret is its JSON key (<see cref="GoogleServiceAccountKey"/>). For Vertex AI.</summary>
    [JsonStringEnumMemberName("google-service-account")] GoogleServiceAccount,

    /// <summary>AWS Signature Version 4 over each request; the secret is an access key as JSON (<see cref="AwsAccessKey"/>). For Bedrock.</summary>
    [JsonStringEnumMemberName("aws-signature")] AwsSignature,
}

/// <summary>Facts of a model.</summary>
/// <param name="Id">The provider's own model id, sent upstream.</param>
/// <param name="ContextWindow">Tokens of input and output together.</param>
/// <param name="MaxOutputTokens">The most tokens of one answer; null when it produces no tokens, as embeddings.</param>
/// <param name="InputModalities"><c>text</c>, <c>image</c>, <c>audio</c>, <c>video</c>, <c>file</c>.</param>
/// <param name="OutputModalities">The same words, or <c>embedding</c>.</param>
/// <param name="Tools">Whether it calls tools.</param>
/// <param name="StructuredOutput">Whether it keeps to a JSON Schema.</param>
/// <param name="KnowledgeCutoff">Last day of its training data, or null.</param>
public sealed record ModelFacts(
    string Id,
    int? ContextWindow,
    int? MaxOutputTokens,
    IReadOnlyList<string> InputModalities,
    IReadOnlyList<string> OutputModalities,
    bool Tools,
    bool StructuredOutput,
    DateOnly? KnowledgeCutoff);

/// <summary>What a service costs.</summary>
/// <param name="Model">How it is charged.</param>
/// <param name="Currency">ISO 4217 code; <c>USD</c> only for now.</param>
/// <param name="Rates">One per tier; empty only when free.</param>
public sealed record ServicePricing(PricingModel Model, string Currency, IReadOnlyList<PriceRate> Rates);

/// <summary>How a service is charged.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<PricingModel>))]
public enum PricingModel
{
    /// <summary>Not at all.</summary>
    [JsonStringEnumMemberName("free")] Free,

    /// <summary>By tokens in and out.</summary>
    [JsonStringEnumMemberName("per-token")] PerToken,

    /// <summary>By call.</summary>
    [JsonStringEnumMemberName("per-request")] PerRequest,

    /// <summary>By month; calls cost nothing more.</summary>
    [JsonStringEnumMemberName("subscription")] Subscription,
}

/// <summary>A price. Exact decimals, never binary fractions.</summary>
/// <param name="Tier">Tier of the consumer's organisation (<c>basic</c>, <c>premium</c>, <c>enterprise</c>), or <c>default</c> for all others.</param>
/// <param name="Unit">Per-token: <c>token</c>, <c>1k-tokens</c>, <c>1m-tokens</c>. Per-request: <c>request</c>, <c>1k-requests</c>. Subscription: <c>month</c>.</param>
/// <param name="Input">Price of a unit of input; of a request or month when that is the unit.</param>
/// <param name="Output">Price of a unit of output; null when there is none.</param>
/// <param name="CachedInput">Price of a unit of cached input; null: as <paramref name="Input"/>.</param>
public sealed record PriceRate(string Tier, string Unit, decimal Input, decimal? Output, decimal? CachedInput)
{
    /// <summary>Price of a unit of input that is written to the provider's cache for 5 minutes; null: as input.</summary>
    public decimal? CacheWrite { get; init; }

    /// <summary>The same for an hour; null: as <see cref="CacheWrite"/>.</summary>
    public decimal? CacheWrite1h { get; init; }

    /// <summary>Price of a unit of reasoning, which is part of the output; null: as output.</summary>
    public decimal? Reasoning { get; init; }

    /// <summary>Price of a unit of audio in, which is part of the input; null: audio is not for sale.</summary>
    public decimal? AudioInput { get; init; }

    /// <summary>Price of a unit of audio out, which is part of the output; null: audio is not for sale.</summary>
    public decimal? AudioOutput { get; init; }

    /// <summary>Price of one image made; null: images are not priced apart.</summary>
    public decimal? Image { get; init; }

    /// <summary>Price of one minute of audio that is transcribed or translated, charged by its seconds; null: time is not for sale.</summary>
    public decimal? AudioMinute { get; init; }

    /// <summary>Price of a million characters that are spoken; null: characters are not for sale.</summary>
    public decimal? MillionCharacters { get; init; }

    /// <summary>Added to each call, besides its tokens; null: nothing.</summary>
    public decimal? PerRequest { get; init; }

    /// <summary>Price of one use of a tool that the provider runs itself, by the tool's name (<c>web_search</c> …); a tool that is not here is not for sale.</summary>
    public IReadOnlyDictionary<string, decimal>? Tools { get; init; }

    /// <summary>Prices of the whole call once its input is long; null: length changes nothing.</summary>
    public LongContextRate? LongContext { get; init; }
}

/// <summary>What a call costs, all of it, when its input has more than so many tokens. Per unit of the rate that it belongs to.</summary>
/// <param name="AboveInputTokens">A call with more input than this.</param>
/// <param name="Input">Price of a unit of input.</param>
/// <param name="Output">Price of a unit of output; null when there is none.</param>
/// <param name="CachedInput">Price of a unit of cached input; null: as <paramref name="Input"/>.</param>
/// <param name="CacheWrite">Price of a unit written to the cache for 5 minutes; null: as <paramref name="Input"/>.</param>
/// <param name="CacheWrite1h">The same for an hour; null: as <paramref name="CacheWrite"/>.</param>
public sealed record LongContextRate(long AboveInputTokens, decimal Input, decimal? Output, decimal? CachedInput, decimal? CacheWrite, decimal? CacheWrite1h);

/// <summary>What a provider promises.</summary>
/// <param name="Availability">Percent, 0 to 100.</param>
/// <param name="MaxLatencyMs">Longest time to a whole answer, or to the first byte of a stream, in milliseconds.</param>
/// <param name="TimeoutMs">When the marketplace gives up, in milliseconds.</param>
/// <param name="SupportLevel">How much help there is.</param>
public sealed record ServiceLevel(decimal Availability, int MaxLatencyMs, int TimeoutMs, SupportLevel SupportLevel);

/// <summary>How much help a provider gives.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SupportLevel>))]
public enum SupportLevel
{
    /// <summary>Basic.</summary>
    [JsonStringEnumMemberName("basic")] Basic,

    /// <summary>Premium.</summary>
    [JsonStringEnumMemberName("premium")] Premium,

    /// <summary>Enterprise; needs an approval.</summary>
    [JsonStringEnumMemberName("enterprise")] Enterprise,
}

/// <summary>Compliance facts.</summary>
/// <param name="Level"><c>public</c>, <c>internal</c>, <c>confidential</c> or <c>restricted</c>: who is cleared to see it.</param>
/// <param name="Certifications">For instance <c>SOC2</c>, <c>ISO27001</c>.</param>
/// <param name="DataResidency">ISO 3166-1 alpha-2 country codes where data is kept.</param>
/// <param name="Gdpr">Whether the provider commits to the GDPR.</param>
/// <param name="Hipaa">Whether it commits to HIPAA.</param>
public sealed record ComplianceFacts(
    string Level,
    IReadOnlyList<string> Certifications,
    IReadOnlyList<string> DataResidency,
    bool Gdpr,
    bool Hipaa);
