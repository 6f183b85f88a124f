using System.Net;
using System.Net.Http.Headers;
using LlmMarketplace.Consumption.Platforms;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>A call as its provider wants it: path, headers and body of the provider's protocol. What proves the marketplace to the provider is added by <see cref="ProveCall"/>.</summary>
internal static class ProviderRequest
{
    private static readonly MediaTypeWithQualityHeaderValue Json = new("application/json");
    private static readonly MediaTypeWithQualityHeaderValue Anything = new("*/*");
    private static readonly MediaTypeWithQualityHeaderValue EventStream = new("text/event-stream");
    private static readonly MediaTypeWithQualityHeaderValue AmazonEventStream = new("application/vnd.amazon.eventstream");

    /// <param name="call">A planned call.</param>
    /// <param name="address">Base address of the provider, with a slash at its end.</param>
    public static HttpRequestMessage Of(Call call, Uri address)
    {
        var plan = call.Plan!;
        var protocol = plan.Version.Specification.Endpoint.Protocol;
        var invocation = call.Request!.Invocation;
        var request = new HttpRequestMessage(invocation?.Method ?? plan.Upstream.Method, new Uri(address, Path(call)))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Content = Content(call),
        };
        request.Headers.Accept.Add(
            call.Request.Stream ? protocol == EndpointProtocol.Bedrock ? AmazonEventStream : EventStream
            : call.Surface.Dialect is Dialect.Audio or Dialect.Rest ? Anything : Json);
        request.Headers.AcceptEncoding.ParseAdd("identity");
        request.Headers.UserAgent.ParseAdd("LlmMarketplace/1");
        request.Headers.TryAddWithoutValidation("x-request-id", call.Id.ToString());
        foreach (var (name, value) in invocation?.Headers ?? [])
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }

        if (protocol == EndpointProtocol.Anthropic)
        {
            PassOn(call, request, "anthropic-version", "2023-06-01");
        }

        if (protocol == EndpointProtocol.Anthropic || (protocol == EndpointProtocol.Vertex && plan.Upstream.Dialect == Dialect.Messages))
        {
            PassOn(call, request, "anthropic-beta", null);
        }

        return request;
    }

    private static string Path(Call call)
    {
        var plan = call.Plan!;
        var upstream = plan.Upstream;
        var endpoint = plan.Version.Specification.Endpoint;
        if (call.Request!.Invocation is { } invocation)
        {
            return $"./{invocation.Path}"; // Whatever it looks like, it lies below the address.
        }

        if (upstream.Method != HttpMethod.Post)
        {
            return ReadStoredCall.Path(call, endpoint.ApiVersion);
        }

        var model = plan.Version.Specification.Model.Id;
        var stream = call.Request.Stream;
        return endpoint.Protocol switch
        {
            EndpointProtocol.Gemini => $"{upstream.Path}{Segment(model)}{GeminiMethod(stream)}",
            EndpointProtocol.Vertex when upstream.Dialect == Dialect.Gemini => $"publishers/google/models/{Segment(model)}{GeminiMethod(stream)}",
            EndpointProtocol.Vertex => $"publishers/anthropic/models/{(upstream == Surface.CountTokens ? "count-tokens" : Segment(model))}:{(stream ? "streamRawPredict" : "rawPredict")}",
            EndpointProtocol.Bedrock when upstream == Surface.Converse => $"model/{Segment(model)}/{(stream ? "converse-stream" : "converse")}",
            EndpointProtocol.Bedrock => $"model/{Segment(model)}/{(stream ? "invoke-with-response-stream" : "invoke")}",
            _ when endpoint.ApiVersion is { } version => $"{upstream.Path}?api-version={Uri.EscapeDataString(version)}",
            _ => upstream.Path,
        };
    }

    private static string GeminiMethod(bool stream) => stream ? ":streamGenerateContent?alt=sse" : ":generateContent";

    /// <summary>An id as one segment of a path; Vertex's versions keep their @.</summary>
    private static string Segment(string id) => Uri.EscapeDataString(id).Replace("%40", "@", StringComparison.Ordinal);

    /// <summary>The body in the provider's protocol; null: it has none.</summary>
    public static HttpContent? Content(Call call)
    {
        var plan = call.Plan!;
        if (call.Request!.Invocation is { } invocation)
        {
            return invocation.Body is { } body ? new WholeBody(body) { Headers = { ContentType = MediaTypeHeaderValue.Parse(invocation.MediaType!) } } : null;
        }

        if (plan.Upstream.Method != HttpMethod.Post)
        {
            return null;
        }

        var (protocol, model) = (plan.Version.Specification.Endpoint.Protocol, plan.Version.Specification.Model.Id);
        if (plan.Upstream.Dialect == Dialect.Messages && protocol is EndpointProtocol.Vertex or EndpointProtocol.Bedrock)
        {
            var betas = protocol == EndpointProtocol.Bedrock && call.Http.Request.Headers["anthropic-beta"] is { Count: > 0 } given ? given.ToString() : null;
            var isTranslated = plan.Translated is not null;
            return Body(HostedMessages.Body(
                plan.Translated?.Body ?? call.Body!.Bytes, protocol, plan.Upstream == Surface.CountTokens ? model : null, fallbacks: !isTranslated && call.Request.FallbackMember is not null,
                isTranslated ? null : plan.Cap?.Value, betas));
        }

        if (plan.Translated is { } translated)
        {
            return Body(translated.Body);
        }

        var edited = EditedBody.Of(call.Surface, call.Body!.Bytes, call.Request, model, plan.Cap);
        call.Sent = edited;
        return edited;
    }

    private static WholeBody Body(ReadOnlyMemory<byte> body) => new(body) { Headers = { ContentType = Json } };

    /// <summary>A header by which callers choose the protocol's version and features.</summary>
    private static void PassOn(Call call, HttpRequestMessage request, string name, string? otherwise)
    {
        var given = call.Http.Request.Headers[name];
        if (given.Count > 0 || otherwise is not null)
        {
            request.Headers.TryAddWithoutValidation(name, given.Count > 0 ? given.ToString() : otherwise);
        }
    }
}
