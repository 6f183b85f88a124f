using LlmMarketplace.Consumption.Calls;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.Extensions.Options;

namespace LlmMarketplace.Consumption.Counting;

/// <summary>
/// A call is first planned by the bytes of its input, which cost nothing to count. When that is more than a limit has left, its tokens are counted, and the limits asked once more. Never on the
/// way of a call that fits.
/// </summary>
internal sealed class CountInput(ModelTokenizers tokenizers, IOptions<CallOptions> options) : IDisposable
{
    // Counting takes 1 ms for 1 to 4 KB: calls that are refused over and over must leave processors to those that are not.
    private readonly SemaphoreSlim turns = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>The refused call's plan by its tokens; null: they cannot be counted, or it would not help.</summary>
    public async ValueTask<CallPlan?> PlanAsync(Call call, Reservation refused, LimitAnswer answer)
    {
        var plan = call.Plan!;
        var body = plan.Translated?.Body ?? call.Body?.Bytes ?? default;
        if (!IsCountable(call.Request!, plan) || body.Length > options.Value.MaxCountedBytes || !MayHelp(plan, refused, answer))
        {
            return null;
        }

        if (await tokenizers.OfAsync(plan.Version.Specification.Model.Id).WaitAsync(call.Left) is not { } tokenizer)
        {
            return null;
        }

        await turns.WaitAsync(call.Left);
        try
        {
            var input = InputTokens.Count(body.Span, tokenizer);
            return input >= plan.InputBound ? null : plan with
            {
                InputBound = input,
                ReservedNanos = Math.Min(plan.ReservedNanos, Price.Nanos(plan.Price.UpperBound(input, plan.OutputBound))),
                ByBytes = plan,
            };
        }
        finally
        {
            turns.Release();
        }
    }

    public void Dispose() => turns.Dispose();

    /// <summary>Whether all that the model is given stands in the body as text, in a form whose framing is known.</summary>
    private static bool IsCountable(CallRequest request, CallPlan plan) =>
        plan is { ByBytes: null, InputBound: > 0 }
        && request is { HasMedia: false, HasAudio: false, SearchesWeb: false }
        && plan.Version.Specification.Endpoint.Protocol is EndpointProtocol.OpenAi or EndpointProtocol.AzureOpenAi
        && (plan.Upstream == Surface.ChatCompletions || plan.Upstream == Surface.Completions || plan.Upstream == Surface.Responses || plan.Upstream == Surface.Embeddings);

    /// <summary>Whether fewer tokens in could get the call in, or let the refusal tell with how many out it would: not when next to nothing is left.</summary>
    private static bool MayHelp(CallPlan plan, Reservation refused, LimitAnswer answer) => answer.Status switch
    {
        LimitStatus.MonthlyTokens => answer.Left > 0,
        LimitStatus.Budget => Price.Nanos(plan.Price.UpperBound(1, 0)) <= answer.Left,
        LimitStatus.Tokens => plan.OutputBound < answer.Left || refused.Tokens > refused.Of(answer.Account).TokensPerMinute, // Else it has to wait all the same.
        _ => false,
    };
}
