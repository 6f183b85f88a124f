using System.Buffers;
using System.Text.Json;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Consumption.Translation;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>Passes on an answer that is not a stream: read whole, settled, then sent; so a caller who has an answer finds it in the books.</summary>
internal sealed class RelayAnswer(SettleCall settle, KeepResponses responses, InstanceLease lease, IOptions<CallOptions> options, TimeProvider time)
{
    public const string Fenced = "This instance of the marketplace lost its connections for too long and must not answer any more.";

    // A provider's refusal is for people to read.
    private const int MaxRefusalBytes = 256 * 1024;

    /// <summary>Passes on a 200, or the reason why it cannot be.</summary>
    public async Task<CallRefusal?> CompleteAsync(Call call, HttpResponseMessage answer, CancellationToken deadline)
    {
        using var body = await WholeAnswer.ReadAsync(answer, options.Value.MaxAnswerBytes, deadline);
        if (body is null)
        {
            return new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is larger than the marketplace passes on.");
        }

        AnswerFacts facts;
        var fields = default(UsageFields);
        try
        {
            facts = call.Request!.WantsText && answer.Content.Headers.ContentType?.MediaType != "application/json"
                ? new AnswerFacts(false, true, body.Length, 0, false, false, 0)
                : ReadUsage.Read(body.Memory.Span, call.Plan!.Upstream.Dialect, ref fields);
        }
        catch (JsonException)
        {
            return new CallRefusal(CallFailure.ProviderFailed, "The provider's answer is not JSON.");
        }

        if (facts.IsError && call.Surface.Method == HttpMethod.Post)
        {
            return new CallRefusal(CallFailure.ProviderFailed);
        }

        if (!lease.Holds(call.Admission!.InstanceId))
        {
            return new CallRefusal(CallFailure.NotReady, Fenced); // Others may have settled this call.
        }

        ReadOnlyMemory<byte> whole;
        try
        {
            whole = InCallersProtocol(call, body.Memory);
        }
        catch (JsonException wrong)
        {
            return new CallRefusal(CallFailure.ProviderFailed, $"The provider's answer is not what its protocol says: {wrong.Message}");
        }

        var told = call.Surface.IsFree ? default(TokenUsage) : fields.ToUsage(call.Plan!.Upstream.Dialect, call.Surface.OnlyReads);
        var usage = Count.WithSearches(call, Count.Of(call, told, facts.TextBytes, out var counted), fields.SearchesSeen);
        if (call.Surface == Surface.ImageGenerations)
        {
            usage = usage with { Images = facts.Images };
        }

        call.Route!.Health.Succeeded();
        call.Copy?.Take(ContentTypeOf(answer), whole.Span);
        var keeping = call.Surface == Surface.Responses && call.Plan!.Translated is null && ResponseId.OfAnswer(body.Memory.Span) is { } id ? responses.KeepAsync(call, id) : Task.CompletedTask;
        var (outcome, status) = call.Left.IsCancellationRequested ? (RequestOutcome.Abandoned, 0) : (RequestOutcome.Completed, StatusCodes.Status200OK);
        await settle.SettleAsync(call, new CallOutcome(outcome, status, usage, counted) { ProviderUsage = call.Surface.IsFree ? null : fields.ToText() });
        await (call.Surface == Surface.DeleteResponse ? responses.ForgetAsync(call.Kept!, call.Left) : keeping);
        await SendAsync(call, StatusCodes.Status200OK, answer, whole);
        return null;
    }

    /// <exception cref="JsonException">The answer cannot be translated, for it is not what its protocol says.</exception>
    private ReadOnlyMemory<byte> InCallersProtocol(Call call, ReadOnlyMemory<byte> answer)
    {
        if (call.Plan!.Translated is null)
        {
            return answer;
        }

        var output = new ArrayBufferWriter<byte>(answer.Length);
        Translators.Answer(call.Surface.Dialect, call.Plan.Upstream.Dialect, answer, Translate.Head(call, time.GetUtcNow()), output);
        return output.WrittenMemory;
    }

    /// <summary>Passes on a provider's 4xx as it is: it is the caller's to mend. Or the reason, when it is not the caller's after all: Google says 400 to a key that it does not know.</summary>
    public async Task<CallRefusal?> RefusedAsync(Call call, HttpResponseMessage answer, CancellationToken deadline)
    {
        using var body = await WholeAnswer.ReadAsync(answer, MaxRefusalBytes, deadline);
        if (call.Plan!.Upstream.Dialect == Dialect.Gemini && body?.Memory.Span.IndexOf("\"API_KEY_INVALID\""u8) >= 0)
        {
            return new CallRefusal(CallFailure.ProviderMisconfigured);
        }

        var said = body?.Memory ?? default;
        var isPassedOn = call.Plan.Translated is null;
        ProviderError? error = null;
        switch (call.Plan.Version.Specification.Endpoint.Protocol)
        {
            case EndpointProtocol.Bedrock:
                error = ProviderError.ReadAmazon(answer.Headers.TryGetValues("x-amzn-ErrorType", out var kinds) ? kinds.First() : null, said);
                if (error.Type == "rate_limit_error")
                {
                    return new CallRefusal(CallFailure.ProviderRateLimited); // A quota of the provider's.
                }

                if (error.Message.Contains("model identifier is invalid", StringComparison.OrdinalIgnoreCase) || error.Message.Contains("on-demand throughput", StringComparison.OrdinalIgnoreCase))
                {
                    return new CallRefusal(CallFailure.ProviderMisconfigured);
                }

                isPassedOn = false;
                break;
            case EndpointProtocol.Vertex when isPassedOn:
                isPassedOn = ProviderError.IsAnthropics(said); // Else it is Google that says it.
                break;
            default:
                break;
        }

        var status = (int)answer.StatusCode;
        var whole = isPassedOn ? said : (error ?? ProviderError.Read(said)).ToBody(call.Surface.Dialect);
        call.Copy?.Take(ContentTypeOf(answer), whole.Span, status);
        await settle.SettleAsync(call, CallOutcome.NotCharged(RequestOutcome.RefusedByProvider, status));
        await SendAsync(call, status, answer, whole);
        return null;
    }

    private static async Task SendAsync(Call call, int status, HttpResponseMessage answer, ReadOnlyMemory<byte> body)
    {
        var response = call.Http.Response;
        response.StatusCode = status;
        response.ContentType = ContentTypeOf(answer);
        response.ContentLength = body.Length;
        await response.Body.WriteAsync(body, call.Left);
    }

    private static string ContentTypeOf(HttpResponseMessage answer) => answer.Content.Headers.ContentType?.ToString() ?? "application/json";
}

/// <summary>Usage when the provider does not tell it: a lower bound, a token for every four bytes of text. Tokenizers of common models make more of any text, hardly ever less.</summary>
internal static class Count
{
    private const int BytesPerToken = 4;

    /// <summary>What is charged: what the provider told, else what is counted.</summary>
    /// <param name="call">The call.</param>
    /// <param name="told">What the provider told, or null.</param>
    /// <param name="outputBytes">Bytes of text that it produced.</param>
    /// <param name="counted">Whether anything of it was counted by us.</param>
    public static TokenUsage Of(Call call, TokenUsage? told, long outputBytes, out bool counted)
    {
        if (call.Surface.IsFree)
        {
            counted = false;
            return default;
        }

        var usage = told ?? Usage(call.Request!, outputBytes);
        counted = told is null;
        return call.Surface.Dialect == Dialect.Audio ? AudioCharge.Of(call, told, usage, out counted) : usage;
    }

    /// <summary>The same of an answer that broke off after text that nothing told covers: Anthropic's streams begin with all of the input and one token of output.</summary>
    public static TokenUsage OfPart(Call call, TokenUsage? told, long outputBytes, out bool counted)
    {
        var usage = Of(call, told, outputBytes, out counted);
        var least = Tokens(outputBytes);
        if (least <= usage.OutputTokens)
        {
            return usage;
        }

        counted = true;
        return usage with { OutputTokens = least };
    }

    /// <summary>With searches that usage does not tell: those that an answer shows; one for a chat by a model that searches whenever it is asked.</summary>
    public static TokenUsage WithSearches(Call call, TokenUsage usage, int seen)
    {
        var least = call.Request!.AlwaysSearches && call.Plan!.Translated is null ? 1 : seen;
        return least > usage.WebSearches && !call.Surface.IsFree ? usage with { WebSearches = least } : usage;
    }

    private static TokenUsage Usage(CallRequest request, long outputBytes) => new(Tokens(request.TextBytes), 0, Tokens(outputBytes));

    private static long Tokens(long bytes) => (bytes + BytesPerToken - 1) / BytesPerToken;
}
