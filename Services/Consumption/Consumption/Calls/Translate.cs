using LlmMarketplace.Consumption.Translation;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>
/// Which surface of the provider serves a call: the one that the caller speaks, or one that it can be translated to. What cannot be translated refuses the call by name, unless the
/// caller says <c>x-marketplace-drop-unsupported: true</c>; then it is left out, and <c>x-marketplace-dropped</c> lists it.
/// </summary>
internal static class Translate
{
    private const string DropHeader = "x-marketplace-drop-unsupported";

    /// <summary>The provider's surface; null when it serves none that will do.</summary>
    public static Surface? Upstream(Surface asked, IReadOnlyList<string> served) =>
        served.Contains(asked.Name) || (asked.Method != HttpMethod.Post && served.Contains(ServiceSurfaces.Responses)) ? asked
        : Targets(asked).FirstOrDefault(target => served.Contains(target.Name));

    /// <summary>Translates the body, when it has to be.</summary>
    /// <param name="call">The call.</param>
    /// <param name="upstream">The provider's surface.</param>
    /// <param name="specification">Of the version called.</param>
    /// <param name="cap">Name and value of the output cap, or null when the caller set one.</param>
    public static (TranslatedRequest? Translated, CallRefusal? Refusal) Request(Call call, Surface upstream, ServiceSpecification specification, (string Field, long Value)? cap)
    {
        if (upstream == call.Surface)
        {
            return (null, null);
        }

        var body = call.Request!.FallbackMember is { } ours ? EditedBody.Without(call.Body!.Bytes, ours) : call.Body!.Bytes;
        var options = new TranslationOptions(
            specification.Model.Id, cap?.Value, Lenient: call.Http.Request.Headers[DropHeader] == "true", MaxTokensField: PlanCall.ChatMaximum(specification));
        var translated = Translators.Request(call.Surface.Dialect, upstream.Dialect, body, options);
        return translated.Refusal is { } gap
            ? (null, gap.IsMalformed
                ? new CallRefusal(CallFailure.InvalidField, gap.Reason, gap.Param)
                : new CallRefusal(CallFailure.Untranslatable, $"{gap.Reason} To have it left out, send the header `{DropHeader}: true`.", gap.Param))
            : (translated, null);
    }

    /// <summary>What an answer to the caller says besides the provider's words.</summary>
    public static AnswerHead Head(Call call, DateTimeOffset now) => new(call.Id, call.Model!, now) { WantsUsage = call.Request!.WantsUsage, Echo = call.Plan!.Translated!.Echo };

    private static IEnumerable<Surface> Targets(Surface asked) =>
        asked == Surface.ChatCompletions ? [Surface.Messages, Surface.GenerateContent, Surface.Converse]
        : asked == Surface.Messages ? [Surface.ChatCompletions, Surface.GenerateContent, Surface.Converse]
        : asked == Surface.Responses ? [Surface.ChatCompletions, Surface.Messages, Surface.GenerateContent, Surface.Converse]
        : [];
}
