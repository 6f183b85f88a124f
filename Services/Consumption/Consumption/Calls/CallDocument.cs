using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Invoking;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// What the API's document says of the calls. They are other people's APIs: only what the gateway reads is declared, and every other member passes through as it is.
/// </summary>
internal static class CallDocument
{
    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder route, Surface surface) => route
        .WithName("Call" + string.Concat(surface.Path.Split('/', '_').Select(part => char.ToUpperInvariant(part[0]) + part[1..])))
        .WithSummary(surface.Summary)
        .WithMetadata(new DocumentedHeader(ReadClaim.Header, "Of your choice, for this request: a repeat with the same key and body within 24 hours gets the first complete answer (`idempotent-replayed: true`) and is not charged again.", ReadClaim.MaxLength))
        .WithMetadata(new DocumentedBody(Body(surface), surface.TakesForm ? "multipart/form-data" : "application/json"))
        .Produces<JsonElement>(StatusCodes.Status200OK, surface == Surface.AudioSpeech ? "audio/mpeg" : "application/json", surface.Streams ? ["text/event-stream"] : []);

    public static RouteHandlerBuilder DescribeStored(this RouteHandlerBuilder route, Surface surface) => route
        .WithName(surface == Surface.DeleteResponse ? "DeleteResponse" : surface == Surface.RetrieveResponse ? "RetrieveResponse" : "ListInputItems")
        .WithSummary(surface.Summary)
        .Produces<JsonElement>(StatusCodes.Status200OK, "application/json");

    public static RouteHandlerBuilder DescribeInvoke(this RouteHandlerBuilder route) => route
        .WithName("InvokeService")
        .WithSummary(Surface.Invoke.Summary)
        .WithMetadata(new DocumentedBody(typeof(InvokeBody)))
        .Produces<JsonElement>(StatusCodes.Status200OK, "application/json")
        .ProducesProblem(StatusCodes.Status400BadRequest)
        .ProducesProblem(StatusCodes.Status404NotFound);

    private static Type Body(Surface surface) => surface.Name switch
    {
        ServiceSurfaces.ChatCompletions => typeof(ChatCompletionBody),
        ServiceSurfaces.Responses => typeof(ResponseBody),
        ServiceSurfaces.Messages or ServiceSurfaces.CountTokens => typeof(MessageBody),
        ServiceSurfaces.Embeddings or ServiceSurfaces.Moderations => typeof(InputBody),
        ServiceSurfaces.AudioTranscriptions or ServiceSurfaces.AudioTranslations => typeof(AudioForm),
        ServiceSurfaces.AudioSpeech => typeof(SpeechBody),
        ServiceSurfaces.Rerank => typeof(RerankBody),
        _ => typeof(PromptBody),
    };
}

/// <summary>As OpenAI's chat completions take it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="Messages">The conversation.</param>
/// <param name="Stream">Whether the answer comes in parts, as server-sent events.</param>
internal sealed record ChatCompletionBody(string Model, IReadOnlyList<JsonElement> Messages, bool Stream = false);

/// <summary>As OpenAI's responses take it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="Input">A text or a list of items.</param>
/// <param name="Stream">Whether the answer comes in parts, as server-sent events.</param>
internal sealed record ResponseBody(string Model, JsonElement Input, bool Stream = false);

/// <summary>As Anthropic's messages take it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="Messages">The conversation.</param>
/// <param name="Stream">Whether the answer comes in parts, as server-sent events.</param>
internal sealed record MessageBody(string Model, IReadOnlyList<JsonElement> Messages, bool Stream = false);

/// <summary>As OpenAI's embeddings and moderations take it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="Input">A text or a list of texts.</param>
internal sealed record InputBody(string Model, JsonElement Input);

/// <summary>As OpenAI's completions and image generations take it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="Prompt">What to go on from, or to draw.</param>
internal sealed record PromptBody(string Model, JsonElement Prompt);

/// <summary>As OpenAI's transcriptions and translations take it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="File">What is to be written down.</param>
/// <param name="Stream">Whether the answer comes in parts, as server-sent events; only for transcriptions.</param>
internal sealed record AudioForm(string Model, IFormFile File, bool Stream = false);

/// <summary>As OpenAI's speech takes it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="Input">What is to be spoken.</param>
/// <param name="Voice">Whose voice, by the provider's names.</param>
internal sealed record SpeechBody(string Model, string Input, JsonElement Voice);

/// <summary>As Cohere's and Jina's rerank take it.</summary>
/// <param name="Model">As <c>/v1/models</c> lists it: <c>provider/service</c>, with <c>@version</c> to hold on to one.</param>
/// <param name="Query">What is asked.</param>
/// <param name="Documents">What may answer it.</param>
internal sealed record RerankBody(string Model, string Query, IReadOnlyList<JsonElement> Documents);
