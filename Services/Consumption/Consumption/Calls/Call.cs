using System.Buffers;
using System.Diagnostics;
using LlmMarketplace.Consumption.Attribution;
using LlmMarketplace.Consumption.Catalogue;
using LlmMarketplace.Consumption.CallLogs;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Consumption.Idempotency;
using LlmMarketplace.Consumption.Keys;
using LlmMarketplace.Consumption.Limits;
using LlmMarketplace.Consumption.Metering;
using LlmMarketplace.Consumption.Pricing;
using LlmMarketplace.Consumption.ResponseCache;
using LlmMarketplace.Consumption.Routing;
using LlmMarketplace.Consumption.StoredResponses;
using LlmMarketplace.Consumption.Translation;
using LlmMarketplace.Publishing.Contracts;
using Microsoft.AspNetCore.Http;

namespace LlmMarketplace.Consumption.Calls;

/// <summary>One call on its way; each step fills in what the next ones need.</summary>
internal sealed class Call(HttpContext http, Surface surface, Guid id, long startedAt)
{
    /// <summary>An attempt's error: its answer broke off.</summary>
    public const string Cut = "cut";

    public HttpContext Http { get; } = http;

    public Surface Surface { get; } = surface;

    /// <summary>Also its <c>x-request-id</c>.</summary>
    public Guid Id { get; } = id;

    /// <summary>Timestamp of <see cref="TimeProvider"/>.</summary>
    public long StartedAt { get; } = startedAt;

    public Activity? Activity { get; set; }

    // 1 key
    public Key? Key { get; set; }

    public Organisation? Organisation { get; set; }

    // 2 body
    public RequestBody? Body { get; set; }

    /// <summary>What was sent of it to the provider last; null: it was translated, or nothing was sent yet.</summary>
    public EditedBody? Sent { get; set; }

    public CallRequest? Request { get; set; }

    /// <summary>How long the request's file of sound is, where time costs.</summary>
    public decimal? FileSeconds { get; set; }

    /// <summary>What it claims by an <c>Idempotency-Key</c>; null: it has none.</summary>
    public Claim? Claim { get; set; }

    /// <summary>Collects the answer for a repeat, when there is a claim, for the cache, or for the log.</summary>
    public AnswerCopy? Copy { get; set; }

    public CallAttribution? Attribution { get; set; }

    /// <summary>Where the response is kept that the call asks for, or goes on from; null when it does neither.</summary>
    public StoredResponse? Kept { get; set; }

    /// <summary>The model asked for: the body's own, or one of its fallbacks.</summary>
    public string? Model { get; set; }

    // 3 plan
    public CallPlan? Plan { get; set; }

    /// <summary>The one try of its way that it was planned with, and has not come to yet; null: it takes no try.</summary>
    private Entry? entry;

    /// <summary>Keeps a try for itself until it is forwarded.</summary>
    public void Hold(Entry taken) => entry = taken.IsTry ? taken : null;

    /// <summary>It is being forwarded: what becomes of the try is told by how that ends.</summary>
    public Entry? TakeEntry()
    {
        var taken = entry;
        entry = null;
        return taken;
    }

    /// <summary>It is not forwarded, or planned anew: another call may try.</summary>
    public void GiveBackEntry() => TakeEntry()?.GiveBack();

    /// <summary>The most that it can cost by the bytes of its body, known too of what cannot be called now; null: it has no price.</summary>
    public long? MostNanos { get; set; }

    /// <summary>What it has to do with its organisation's cache; null: nothing.</summary>
    public CacheUse? Cache { get; set; }

    /// <summary>What is needed to log it; null: it is not logged.</summary>
    public CallToLog? ToLog { get; set; }

    /// <summary>It was planned anew; what was looked up holds for the same version only.</summary>
    public void Replan(CallPlan? plan)
    {
        Cache = plan?.Version.Id == Plan?.Version.Id ? Cache : null;
        Plan = Cache?.Found is null ? plan : plan?.AtNoCost();
    }

    // 4 admission
    public LimitAnswer? Limits { get; set; }

    public AdmissionRow? Admission { get; set; }

    // 5 forwarding
    public List<Attempt> Attempts { get; } = [];

    /// <summary>The way that was tried last.</summary>
    public Route? Route { get; set; }

    /// <summary>Why the last attempt could not prove the marketplace to the provider; null when it could.</summary>
    public string? ProofProblem { get; set; }

    public double? FirstByteMs { get; set; }

    /// <summary>Whether the answer is read to its end when the caller leaves.</summary>
    public bool IsDrained => Plan!.Version.Specification.Endpoint.WhenCallerLeaves == WhenCallerLeaves.Drain;

    /// <summary>The answer that had begun was not whole: notes why in its attempt.</summary>
    public void BrokeOff(string error) => Attempts[^1] = Attempts[^1] with { Error = error };

    public bool Settled { get; set; }

    /// <summary>What its caller is told in place of an answer; null while there is one, or may be.</summary>
    public CallRefusal? Refused { get; set; }

    private volatile CallRefusal? endedBy;

    /// <summary>Why it does not go on, when it was ended by us: its key was revoked together with the calls that run, or this instance stops.</summary>
    public CallRefusal? EndedBy
    {
        get => endedBy;
        set => endedBy = value;
    }

    /// <summary>Its place among the calls under way.</summary>
    public required RunningCalls.RunningCall Running { get; init; }

    /// <summary>Whether the caller wants to know what the call costs: <c>x-marketplace-include: cost</c>.</summary>
    public bool WantsCost { get; } = http.Request.Headers["x-marketplace-include"].Any(values => values?.Split(',', StringSplitOptions.TrimEntries).Contains("cost", StringComparer.OrdinalIgnoreCase) == true);

    /// <summary>Whether the call goes on when its caller leaves: whoever sent an idempotency key comes back for the answer.</summary>
    public bool GoesOn => Claim is not null && Admission is not null;

    /// <summary>Falls when nobody wants the answer any more.</summary>
    public CancellationToken Left => GoesOn ? CancellationToken.None : Http.RequestAborted;

    /// <summary>A stream began: nobody asks for the request's body any more, and it may be large. A body that is still being sent, and a form, whose file may yet have to be measured, are kept to the end.</summary>
    public void ForgetBody()
    {
        if (Sent is { IsSent: true } && Request!.FormType is null)
        {
            Sent = null;
            Body!.Dispose();
        }
    }

    /// <summary>Writes a part of the answer to the caller.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        Copy?.Append(bytes);
        Http.Response.BodyWriter.Write(bytes);
    }

    /// <summary>The same request, to be admitted anew for another model.</summary>
    public Call Again(Guid id) => new(Http, Surface, id, StartedAt)
    {
        Running = Running,
        Activity = Activity,
        Key = Key,
        Organisation = Organisation,
        Body = Body,
        Request = Request,
        FileSeconds = FileSeconds,
        Claim = Claim,
        Copy = Copy,
        Attribution = Attribution,
        Kept = Kept,
        First = First ?? this,
    };

    /// <summary>The call that this one is a fallback of, or null.</summary>
    public Call? First { get; private init; }
}

/// <summary>What is called, for which price and bounds.</summary>
internal sealed record CallPlan(
    ListedVersion Version, IReadOnlyList<Route> Routes, Price Price, (string Field, long Value)? Cap, long InputBound, long OutputBound, long ReservedNanos)
{
    /// <summary>The provider's surface.</summary>
    public required Surface Upstream { get; init; }

    /// <summary>The body in the provider's protocol, when it is another than the caller's.</summary>
    public TranslatedRequest? Translated { get; init; }

    /// <summary>The plan by the bytes of the input, when this is the one by its tokens; else null.</summary>
    public CallPlan? ByBytes { get; init; }

    public long ReservedTokens => InputBound + OutputBound;

    /// <summary>The same for a call that its provider will not see.</summary>
    public CallPlan AtNoCost() => this with { InputBound = 0, OutputBound = 0, ReservedNanos = 0 };
}

/// <summary>How an admitted call ended.</summary>
/// <param name="Outcome">The outcome.</param>
/// <param name="Status">HTTP status for the caller; 0 when nobody is left to get it.</param>
/// <param name="Usage">What is charged.</param>
/// <param name="Counted">Whether we counted it ourselves.</param>
internal readonly record struct CallOutcome(RequestOutcome Outcome, int Status, TokenUsage Usage, bool Counted)
{
    /// <summary>What the provider told of usage, word for word.</summary>
    public string? ProviderUsage { get; init; }

    /// <summary>It broke off before it said anything: nothing is charged, whatever a call costs.</summary>
    public bool IsEmpty { get; init; }

    /// <summary>The provider was not asked.</summary>
    public bool FromCache { get; private init; }

    /// <summary>Delivered from the organisation's cache: no tokens, no charge.</summary>
    public static CallOutcome FoundInCache(int status) => new(RequestOutcome.Completed, status, default, false) { FromCache = true };

    /// <summary>Nothing delivered, nothing charged.</summary>
    public static CallOutcome NotCharged(RequestOutcome outcome, int status) => new(outcome, status, default, false);
}
