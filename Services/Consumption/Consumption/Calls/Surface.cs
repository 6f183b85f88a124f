using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>How answers and streams of a surface are laid out.</summary>
internal enum Dialect
{
    /// <summary>OpenAI's: <c>usage</c> with prompt and completion tokens; streams of chunks that end with <c>data: [DONE]</c>.</summary>
    Chat,

    /// <summary>OpenAI's Responses: <c>usage</c> with input and output tokens; streams of typed events that end with <c>response.completed</c>, <c>.incomplete</c> or <c>.failed</c>.</summary>
    Responses,

    /// <summary>Anthropic's Messages: <c>usage</c> without cached tokens among the input; streams of typed events that end with <c>message_stop</c>.</summary>
    Messages,

    /// <summary>OpenAI's audio: <c>usage</c> in tokens or seconds; streams of typed events that end with <c>transcript.text.done</c> or <c>speech.audio.done</c>.</summary>
    Audio,

    /// <summary>Bedrock's Converse: <c>usage</c> without cached tokens among the input; streams of events of Amazon's own framing that end with their connection. Of providers only.</summary>
    Converse,

    /// <summary>A service's own, told by its OpenAPI document: nothing in it is metered.</summary>
    Rest,

    /// <summary>Gemini's: <c>usageMetadata</c>, without thoughts among the output; streams that end with their connection. Of providers only.</summary>
    Gemini,
}

/// <summary>One of the addresses below <c>/v1</c> that are forwarded.</summary>
/// <param name="Name">As records, listings and metrics know it: one of <see cref="ServiceSurfaces"/>.</param>
/// <param name="Path">Below <c>/v1</c> here, and below the provider's base address there.</param>
/// <param name="Dialect">How it is laid out.</param>
/// <param name="GenAiOperation">OpenTelemetry's name of it.</param>
/// <param name="MaxOutputField">The member that bounds the output and is sent along when the caller set none; null when there is no output in tokens.</param>
/// <param name="Streams">Whether it can stream.</param>
/// <param name="Summary">For the API's document.</param>
/// <param name="IsFree">Whether it costs nothing, whatever the listing's price, because it produces nothing.</param>
internal sealed record Surface(string Name, string Path, Dialect Dialect, string GenAiOperation, string Summary, string? MaxOutputField = null, bool Streams = false, bool IsFree = false)
{
    /// <summary>How it is called. All but POST ask for a response that is stored: <c>{id}</c> in the path.</summary>
    public HttpMethod Method { get; init; } = HttpMethod.Post;

    /// <summary>Whether it produces no tokens: all that its providers count is input.</summary>
    public bool OnlyReads { get; init; }

    /// <summary>Whether the request is a form (<c>multipart/form-data</c>) with a file in it; else it is JSON.</summary>
    public bool TakesForm { get; init; }

    public static Surface ChatCompletions { get; } = new(ServiceSurfaces.ChatCompletions, "chat/completions", Dialect.Chat, "chat", "Create a chat completion, streamed or whole, as OpenAI's API does", "max_tokens", Streams: true);

    public static Surface Completions { get; } = new(ServiceSurfaces.Completions, "completions", Dialect.Chat, "text_completion", "Complete a prompt, as OpenAI's older API does", "max_tokens", Streams: true);

    public static Surface Responses { get; } = new(ServiceSurfaces.Responses, "responses", Dialect.Responses, "chat", "Create a response, streamed or whole, as OpenAI's API does", "max_output_tokens", Streams: true);

    public static Surface Messages { get; } = new(ServiceSurfaces.Messages, "messages", Dialect.Messages, "chat", "Create a message, streamed or whole, as Anthropic's API does", "max_tokens", Streams: true);

    public static Surface CountTokens { get; } = new(ServiceSurfaces.CountTokens, "messages/count_tokens", Dialect.Messages, "count_tokens", "Count the tokens of a message before it is sent, as Anthropic's API does", IsFree: true);

    public static Surface Embeddings { get; } = new(ServiceSurfaces.Embeddings, "embeddings", Dialect.Chat, "embeddings", "Create embeddings, as OpenAI's API does") { OnlyReads = true };

    public static Surface ImageGenerations { get; } = new(ServiceSurfaces.ImageGenerations, "images/generations", Dialect.Chat, "generate_content", "Make images of a text, as OpenAI's API does");

    public static Surface AudioTranscriptions { get; } = new(ServiceSurfaces.AudioTranscriptions, "audio/transcriptions", Dialect.Audio, "generate_content", "Write down what is said, in the language that it is said in, as OpenAI's API does", Streams: true) { TakesForm = true };

    public static Surface AudioTranslations { get; } = new(ServiceSurfaces.AudioTranslations, "audio/translations", Dialect.Audio, "generate_content", "Write down in English what is said, as OpenAI's API does") { TakesForm = true };

    public static Surface AudioSpeech { get; } = new(ServiceSurfaces.AudioSpeech, "audio/speech", Dialect.Audio, "generate_content", "Speak a text, as OpenAI's API does; the audio comes as it is made", Streams: true);

    public static Surface Moderations { get; } = new(ServiceSurfaces.Moderations, "moderations", Dialect.Chat, "moderation", "Classify a text as harmful or not, as OpenAI's API does") { OnlyReads = true };

    public static Surface Rerank { get; } = new(ServiceSurfaces.Rerank, "rerank", Dialect.Chat, "rerank", "Order documents by how well they answer a query, as Cohere's and Jina's APIs do") { OnlyReads = true };

    /// <summary>Of Gemini providers; nothing is mapped at this path here. The rest of it is the model and the method.</summary>
    public static Surface GenerateContent { get; } = new(ServiceSurfaces.GenerateContent, "models/", Dialect.Gemini, "generate_content", "Gemini's own", "maxOutputTokens", Streams: true);

    /// <summary>Of Bedrock providers; nothing is mapped at this path here.</summary>
    public static Surface Converse { get; } = new(ServiceSurfaces.Converse, "converse", Dialect.Converse, "chat", "Bedrock's own", "maxTokens", Streams: true);

    public static Surface RetrieveResponse { get; } = new("responses.retrieve", "responses/{id}", Dialect.Responses, "chat", "A stored response, as OpenAI's API gives it", IsFree: true) { Method = HttpMethod.Get };

    public static Surface DeleteResponse { get; } = new("responses.delete", "responses/{id}", Dialect.Responses, "chat", "Delete a stored response", IsFree: true) { Method = HttpMethod.Delete };

    public static Surface ListInputItems { get; } = new("responses.input_items", "responses/{id}/input_items", Dialect.Responses, "chat", "What a stored response was made of", IsFree: true) { Method = HttpMethod.Get };

    /// <summary>Operations of <c>rest</c> services: the one path that is not below <c>/v1</c>. Where it leads at the provider, each call says.</summary>
    public static Surface Invoke { get; } = new(ServiceSurfaces.Invoke, "api/v1/services/{id}/invoke", Dialect.Rest, "invoke", "Call an operation of a `rest` service, as its OpenAPI document describes it");

    /// <summary>Those that ask for a stored response; whoever serves responses serves them.</summary>
    public static IReadOnlyList<Surface> OfStored { get; } = [RetrieveResponse, DeleteResponse, ListInputItems];

    /// <summary>All that are posted to.</summary>
    public static IReadOnlyList<Surface> All { get; } = [ChatCompletions, Completions, Responses, Messages, CountTokens, Embeddings, ImageGenerations, AudioTranscriptions, AudioTranslations, AudioSpeech, Moderations, Rerank];

    /// <summary>Whether a request is answered as Anthropic does: below <c>/v1/messages</c> always, below <c>/v1/models</c> when it names a version of Anthropic's API, as Anthropic's clients do.</summary>
    public static bool IsAnthropic(Microsoft.AspNetCore.Http.HttpRequest request) =>
        request.Path.StartsWithSegments("/v1/messages", StringComparison.OrdinalIgnoreCase)
        || (request.Path.StartsWithSegments("/v1/models", StringComparison.OrdinalIgnoreCase) && request.Headers.ContainsKey("anthropic-version"));
}
