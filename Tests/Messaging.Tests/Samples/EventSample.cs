using System.Text.Json;
using LlmMarketplace.Admin.Contracts;
using LlmMarketplace.Consumption.Contracts;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Messaging.Consuming;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Servers;

namespace LlmMarketplace.Messaging.Tests.Samples;

/// <summary>An event with every member filled, and the file that holds it as it looks on the wire.</summary>
internal abstract record EventSample(string Producer, string Topic, string Type, Guid Key, long AggregateVersion)
{
    /// <summary>Where the sample lies.</summary>
    public string File => Path.Combine(RepositoryRoot.Path, "Tests", "Messaging.Tests", "Samples", Type + ".json");

    public abstract Type Event { get; }

    public abstract void Declare(MessagingBuilder<EventsDb> messaging);

    public abstract void Add(Outbox outbox, EventsDb db);

    /// <summary>What a consumer of this type declares.</summary>
    public abstract Subscription Subscription { get; }

    /// <summary>Every event of the marketplace.</summary>
    public static IReadOnlyList<EventSample> All { get; } =
    [
        new EventSample<OrganisationChanged>(
            IdentityEvents.Producer,
            IdentityEvents.Organisations,
            IdentityEvents.OrganisationChanged,
            Id(1),
            3,
            new OrganisationChanged(Id(1), "acme", "Acme Inc.", ComplianceLevel.Confidential, OrganisationTier.Enterprise, OrganisationStatus.Active, IsOperator: false)),
        new EventSample<ListingChanged>(PublishingEvents.Producer, PublishingEvents.Services, PublishingEvents.ListingChanged, Id(2), 7, Listing()),
        new EventSample<OpenApiDocumentPublished>(
            PublishingEvents.Producer,
            PublishingEvents.OpenApiDocuments,
            PublishingEvents.OpenApiDocumentPublished,
            Id(3),
            1,
            new OpenApiDocumentPublished(
                Id(3), Id(2), "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", """{"openapi":"3.1.0","info":{"title":"Texts","version":"1"},"paths":{"/texts":{"post":{"responses":{"200":{"description":"The translation"}}}}}}""")),
        new EventSample<ApprovalDecided>(
            AdminEvents.Producer,
            AdminEvents.Approvals,
            AdminEvents.ApprovalDecided,
            Id(5),
            1,
            new ApprovalDecided(Id(5), Id(2), Id(3), ApprovalDecision.Approved, "user-bob", "Reviewed the data processing agreement.", At(11))),
        new EventSample<RequestSettled>(
            ConsumptionEvents.Producer,
            ConsumptionEvents.Requests,
            ConsumptionEvents.RequestSettled,
            Id(6),
            1,
            new RequestSettled(
                Id(6), Id(7), Id(8), Id(2), Id(3), Id(1), "chat.completions", RequestOutcome.Completed, 200, 1_200, 200, 350, UsageCounted: false, 0.003_512_5m, "USD", Streamed: true, At(12), At(13), 1_250.5, 180.25, "acme/chat-large@1.2.0", "customer-4711", new Dictionary<string, string> { ["team"] = "search" })),
        new EventSample<RequestCorrected>(
            ConsumptionEvents.Producer,
            ConsumptionEvents.Requests,
            ConsumptionEvents.RequestCorrected,
            Id(9),
            2,
            new RequestCorrected(
                2, RequestOutcome.Lost, 0, 0, 0m, new RequestSettled(
                    Id(9), Id(7), Id(8), Id(2), Id(3), Id(1), "chat.completions", RequestOutcome.Completed, 200, 1_200, 200, 350, UsageCounted: false, 0.003_512_5m, "USD", Streamed: true, At(12), At(13), 1_250.5, 180.25, "acme/chat-large@1.2.0", "customer-4711", new Dictionary<string, string> { ["team"] = "search" }))),
        new EventSample<BudgetThresholdReached>(
            ConsumptionEvents.Producer,
            ConsumptionEvents.Usage,
            ConsumptionEvents.BudgetThresholdReached,
            Id(7),
            80,
            new BudgetThresholdReached(Id(7), BudgetScope.EndUser, Id(8), "customer-4711", SpendingPeriod.Month, new DateOnly(2026, 3, 1), 80, 25m, "USD", 20.003_512_5m, At(13))),
        new EventSample<SlaViolationChanged>(
            ConsumptionEvents.Producer,
            ConsumptionEvents.Usage,
            ConsumptionEvents.SlaViolationChanged,
            Id(1),
            2,
            new SlaViolationChanged(Id(10), Id(2), Id(3), Id(1), "acme/chat-large@1.2.0", SlaMetric.Latency, SlaSeverity.Critical, 3_000m, 7_250.125m, 120, 1, At(13), At(14), 2)),
    ];

    private static ListingChanged Listing() => new(
        Id(2),
        Id(1),
        "acme",
        "chat-large",
        Suspended: false,
        new ListingVisibility(VisibilityKind.Organisations, [Id(7), Id(9)]),
        "published",
        [
            new PublishedVersion(
                Id(3),
                "1.2.0",
                VersionStatus.Active,
                new ServiceSpecification(
                    "Answers questions in forty languages.",
                    "text-generation",
                    ["chat", "multilingual"],
                    [new Capability("chat", "Holds a conversation.", Element("""{"type":"object","properties":{"messages":{"type":"array"}},"required":["messages"]}"""))],
                    new ServiceEndpoint("https://api.example.com/v1", EndpointProtocol.OpenAi, EndpointAuthentication.ApiKey)
                    {
                        Timeouts = new EndpointTimeouts(2_000, 20_000, 15_000, 600_000),
                        WhenCallerLeaves = WhenCallerLeaves.Drain,
                    },
                    new ModelFacts("large-2026", 128_000, 8_192, ["text", "image"], ["text"], Tools: true, StructuredOutput: true, new DateOnly(2026, 1, 31)),
                    new ServicePricing(PricingModel.PerToken, "USD", [new PriceRate("default", "1m-tokens", 2.50m, 10.00m, 1.25m), new PriceRate("enterprise", "1m-tokens", 2.00m, 8.00m, null)]),
                    new ServiceLevel(99.95m, 3_000, 60_000, SupportLevel.Enterprise),
                    new ComplianceFacts("confidential", ["ISO27001", "SOC2"], ["DE", "FR"], Gdpr: true, Hipaa: false),
                    "# Chat\nSends and receives messages.",
                    [new ServiceExample("A greeting", Element("""{"messages":[{"role":"user","content":"Hello"}]}"""), Element("""{"choices":[{"message":{"role":"assistant","content":"Hello!"}}]}"""))],
                    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
                new ProtectedSecret("1a2b3c4d", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], [200, 201, 202, 203], [16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
                new ApprovalRequest(Id(5), "user-alice", At(10), ["compliance_level", "enterprise_support"]),
                At(11),
                At(20),
                [new PublishedCredential("backup", "primary", new ProtectedSecret("1a2b3c4d", [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1], [100, 101, 102], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]))]),
        ],
        At(9),
        At(11));

    private static Guid Id(int number) => Guid.Parse($"01997c3a-0000-7000-8000-{number:D12}");

    private static DateTimeOffset At(int hour) => new(2026, 3, 1, hour, 30, 15, 250, TimeSpan.Zero);

    private static JsonElement Element(string json) => JsonDocument.Parse(json).RootElement;
}

/// <inheritdoc/>
internal sealed record EventSample<TEvent>(string Producer, string Topic, string Type, Guid Key, long AggregateVersion, TEvent Data) : EventSample(Producer, Topic, Type, Key, AggregateVersion)
    where TEvent : class
{
    public override Type Event => typeof(TEvent);

    public override Subscription Subscription => new Subscription<TEvent, NoHandler>(Producer, Topic, Type, TopicKind.State);

    public override void Declare(MessagingBuilder<EventsDb> messaging) => messaging.Publishes<TEvent>(Topic, Type);

    public override void Add(Outbox outbox, EventsDb db) => outbox.Add(db, Key, AggregateVersion, Data);

    private sealed class NoHandler : IEventHandler<TEvent>
    {
        public Task HandleAsync(TEvent data, EventContext context, CancellationToken cancellationToken) => throw new NotSupportedException("Samples are only read.");
    }
}
