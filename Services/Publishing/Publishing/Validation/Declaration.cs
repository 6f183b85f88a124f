using System.Text.Json;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>What could be read of a declaration: members that are absent or wrong are null, and an issue says so.</summary>
internal sealed class Declaration
{
    private const int Many = 1_000_000_000;
    private const int MostReplicas = 20;
    private const int LongestConnectMs = 60_000;
    private const int LongestMs = 3_600_000;
    private const int LongestTotalMs = 86_400_000;
    private const int MostWeight = 1_000;
    private const string WebSearchTool = "web_search";

    /// <summary>The documentation's largest length, in characters.</summary>
    private const int DocumentationLength = 100_000;

    private static readonly string[] InputModalityNames = ["text", "image", "audio", "video", "file"];
    private static readonly string[] OutputModalityNames = [.. InputModalityNames, "embedding"];
    private static readonly string[] TierNames = [.. WireNames<OrganisationTier>.All, "default"];

    private readonly Node root;

    public Declaration(Node root)
    {
        this.root = root;
        Description = root.Text("description", 4_000);
        Category = root.OneOf("category", (string[])[.. ServiceCategories.All]);
        Tags = ReadTags();
        Capabilities = ReadCapabilities();
        Documentation = root.Text("documentation", DocumentationLength, required: false);
        Examples = ReadExamples();
        (Model, ModelIsRead) = ReadModel();
        Sla = ReadSla();
        Endpoint = root.Object("endpoint");
        Url = Endpoint?.Text("url", 2_000);
        Protocol = Endpoint?.Choice<EndpointProtocol>("protocol");
        Authentication = Endpoint?.Choice<EndpointAuthentication>("authentication");
        Surfaces = Endpoint is { } endpoint ? [.. endpoint.Items("surfaces", ServiceSurfaces.All.Count).Select(item => item.AsOneOf((string[])[.. ServiceSurfaces.All])).OfType<string>().Distinct()] : [];
        ApiVersion = Endpoint?.Text("apiVersion", 40, required: false);
        Weight = Endpoint?.Number("weight", 0, MostWeight, required: false);
        EndpointResidency = Endpoint?.Text("residency", 2, required: false);
        Replicas = [.. (Endpoint?.Items("replicas", MostReplicas) ?? []).Select(item => new DeclaredReplica(
            item, item.Text("name", 40), item.Text("url", 2_000), item.Number("weight", 0, MostWeight, required: false), item.Text("residency", 2, required: false)))];
        WhenCallerLeaves = Endpoint?.Choice<WhenCallerLeaves>("whenCallerLeaves", required: false);
        Timeouts = Endpoint?.Object("timeouts", required: false) is { } timeouts ? ReadTimeouts(timeouts) : null;
        Pricing = root.Object("pricing");
        PricingModel = Pricing?.Choice<PricingModel>("model");
        Currency = Pricing?.Text("currency", 3);
        Rates = [.. (Pricing?.Items("rates", 10) ?? []).Select(ReadRate)];
        Compliance = root.Object("compliance");
        Level = Compliance?.Choice<ComplianceLevel>("level");
        Certifications = Compliance?.Texts("certifications", 50, 60) ?? [];
        Residency = Compliance?.Items("dataResidency", 249) ?? [];
        Gdpr = Compliance?.Flag("gdpr");
        Hipaa = Compliance?.Flag("hipaa");
    }

    public string? Description { get; }

    public string? Category { get; }

    public IReadOnlyList<string> Tags { get; }

    public IReadOnlyList<(Node At, Capability Capability)> Capabilities { get; }

    public string? Documentation { get; }

    public IReadOnlyList<ServiceExample> Examples { get; }

    public ModelFacts? Model { get; }

    public bool ModelIsRead { get; }

    public ServiceLevel? Sla { get; }

    public Node? Endpoint { get; }

    public string? Url { get; }

    public EndpointProtocol? Protocol { get; }

    public EndpointAuthentication? Authentication { get; }

    public IReadOnlyList<string> Surfaces { get; }

    public string? ApiVersion { get; }

    public int? Weight { get; }

    public string? EndpointResidency { get; }

    public IReadOnlyList<DeclaredReplica> Replicas { get; }

    public WhenCallerLeaves? WhenCallerLeaves { get; }

    public EndpointTimeouts? Timeouts { get; }

    public Node? Pricing { get; }

    public PricingModel? PricingModel { get; }

    public string? Currency { get; }

    public IReadOnlyList<DeclaredRate> Rates { get; }

    public Node? Compliance { get; }

    public ComplianceLevel? Level { get; }

    public IReadOnlyList<string> Certifications { get; }

    public IReadOnlyList<Node> Residency { get; }

    public bool? Gdpr { get; }

    public bool? Hipaa { get; }

    /// <summary>The specification as it will be frozen. Only for a declaration without issues.</summary>
    public ServiceSpecification ToSpecification(string? openApiSha256) => new(
        Description!,
        Category!,
        Tags,
        [.. Capabilities.Select(entry => entry.Capability)],
        new ServiceEndpoint(Url!, Protocol!.Value, Authentication!.Value) 
        {
            Surfaces = Surfaces.Count == 0 ? null : Surfaces,
            ApiVersion = ApiVersion,
            Weight = Weight ?? 1,
            Residency = EndpointResidency,
            Timeouts = Timeouts,
            WhenCallerLeaves = WhenCallerLeaves ?? default,
            Replicas = Replicas.Count == 0 ? null : [.. Replicas.Select(replica => new EndpointReplica(replica.Name!, replica.Url!, replica.Weight ?? 1, replica.Residency))],
        },
        Model!,
        new ServicePricing(PricingModel!.Value, Currency!, [.. Rates.Select(rate => rate.ToRate())]),
        Sla!,
        new ComplianceFacts(WireNames<ComplianceLevel>.Of(Level!.Value), Certifications, [.. Residency.Select(country => country.Element.GetString()!)], Gdpr!.Value, Hipaa!.Value),
        Documentation,
        Examples,
        openApiSha256);

    private IReadOnlyList<string> ReadTags()
    {
        var tags = root.Texts("tags", 20, 40);
        foreach (var tag in root.Items("tags", 20).Where(tag => tag.Element.ValueKind == JsonValueKind.String && tag.Element.GetString()!.Any(char.IsUpper)))
        {
            tag.Report(IssueCodes.UnknownValue, "Tags are lower case.");
        }

        return tags;
    }

    private List<(Node, Capability)> ReadCapabilities()
    {
        var capabilities = new List<(Node, Capability)>();
        foreach (var item in root.Items("capabilities", 50, required: true))
        {
            var parameters = item.Member("parameters", required: false);
            capabilities.Add((item, new Capability(item.Text("name", 100) ?? "", item.Text("description", 1_000) ?? "", parameters?.Element)));
        }

        return capabilities;
    }

    private List<ServiceExample> ReadExamples()
    {
        var examples = new List<ServiceExample>();
        foreach (var item in root.Items("examples", 20))
        {
            examples.Add(new ServiceExample(item.Text("title", 200) ?? "", item.Member("request", required: true)?.Element ?? default, item.Member("response", required: false)?.Element));
        }

        return examples;
    }

    private (ModelFacts?, bool) ReadModel()
    {
        if (root.Object("model") is not { } model)
        {
            return (null, false);
        }

        var id = model.Text("id", 200);
        var facts = new ModelFacts(
            id ?? "",
            model.Number("contextWindow", 1, Many, required: false),
            model.Number("maxOutputTokens", 1, Many, required: false),
            Modalities(model, "inputModalities", InputModalityNames),
            Modalities(model, "outputModalities", OutputModalityNames),
            model.Flag("tools", required: false) ?? false,
            model.Flag("structuredOutput", required: false) ?? false,
            KnowledgeCutoff(model));
        return (facts, id is not null);
    }

    private static List<string> Modalities(Node model, string name, string[] names)
    {
        var items = model.Items(name, names.Length, required: true);
        if (items.Count == 0 && model.Member(name, required: false) is { Element.ValueKind: JsonValueKind.Array } empty)
        {
            empty.Report(IssueCodes.Required, "At least one.");
        }

        return [.. items.Select(item => item.AsOneOf(names)).OfType<string>().Distinct()];
    }

    private static DateOnly? KnowledgeCutoff(Node model)
    {
        if (model.Text("knowledgeCutoff", 10, required: false) is not { } text)
        {
            return null;
        }

        if (DateOnly.TryParseExact(text, "yyyy-MM-dd", out var day))
        {
            return day;
        }

        model.Member("knowledgeCutoff", required: false)!.Value.Report(IssueCodes.InvalidType, "It must be a day as in 2026-01-31.");
        return null;
    }

    private ServiceLevel? ReadSla()
    {
        if (root.Object("sla") is not { } sla)
        {
            return null;
        }

        var availability = sla.Number("availability", 0m, 100m);
        var latency = sla.Number("maxLatencyMs", 1, 3_600_000);
        var timeout = sla.Number("timeoutMs", 1, 3_600_000);
        var support = sla.Choice<SupportLevel>("supportLevel");
        if (latency > timeout)
        {
            sla.Member("timeoutMs", required: false)!.Value.Report(IssueCodes.OutOfRange, "It must not be below maxLatencyMs.");
        }

        return availability is null || latency is null || timeout is null || support is null ? null : new ServiceLevel(availability.Value, latency.Value, timeout.Value, support.Value);
    }

    private static EndpointTimeouts ReadTimeouts(Node at)
    {
        var read = new EndpointTimeouts(
            at.Number("connectMs", 1, LongestConnectMs, required: false),
            at.Number("firstByteMs", 1, LongestMs, required: false),
            at.Number("idleMs", 1, LongestMs, required: false),
            at.Number("totalMs", 1, LongestTotalMs, required: false));
        if (read.FirstByteMs > read.TotalMs)
        {
            at.At("firstByteMs", default).Report(IssueCodes.OutOfRange, "It must not be above totalMs.");
        }

        if (read.IdleMs > read.TotalMs)
        {
            at.At("idleMs", default).Report(IssueCodes.OutOfRange, "It must not be above totalMs.");
        }

        return read;
    }

    private static DeclaredRate ReadRate(Node rate) => new(
        rate,
        rate.OneOf("tier", TierNames),
        rate.Text("unit", 40),
        rate.Number("input", decimal.MinValue, decimal.MaxValue),
        Amount(rate, "output"),
        Amount(rate, "cachedInput"))
    {
        CacheWrite = Amount(rate, "cacheWrite"),
        CacheWrite1h = Amount(rate, "cacheWrite1h"),
        Reasoning = Amount(rate, "reasoning"),
        AudioInput = Amount(rate, "audioInput"),
        AudioOutput = Amount(rate, "audioOutput"),
        Image = Amount(rate, "image"),
        AudioMinute = Amount(rate, "audioMinute"),
        MillionCharacters = Amount(rate, "millionCharacters"),
        PerRequest = Amount(rate, "perRequest"),
        Tools = ReadTools(rate),
        LongContext = rate.Object("longContext", required: false) is { } longer ? ReadLongContext(longer) : null,
    };

    private static decimal? Amount(Node at, string name) => at.Number(name, decimal.MinValue, decimal.MaxValue, required: false);

    private static Dictionary<string, decimal>? ReadTools(Node rate)
    {
        if (rate.Object("tools", required: false) is not { } tools)
        {
            return null;
        }

        var prices = new Dictionary<string, decimal>();
        foreach (var tool in tools.Element.EnumerateObject())
        {
            if (tool.Name != WebSearchTool)
            {
                tools.At(tool.Name, tool.Value).Report(IssueCodes.UnknownValue, $"Only {WebSearchTool} can be metered for now.");
            }
            else if (Amount(tools, tool.Name) is { } price)
            {
                prices[tool.Name] = price;
            }
        }

        return prices;
    }

    private static DeclaredLongContext ReadLongContext(Node at) => new(
        at,
        at.Number("aboveInputTokens", 1, Many),
        at.Number("input", decimal.MinValue, decimal.MaxValue),
        Amount(at, "output"),
        Amount(at, "cachedInput"),
        Amount(at, "cacheWrite"),
        Amount(at, "cacheWrite1h"));
}

/// <summary>One more address as declared.</summary>
internal sealed record DeclaredReplica(Node At, string? Name, string? Url, int? Weight, string? Residency);

/// <summary>A rate as declared.</summary>
internal sealed record DeclaredRate(Node At, string? Tier, string? Unit, decimal? Input, decimal? Output, decimal? CachedInput)
{
    public decimal? CacheWrite { get; init; }

    public decimal? CacheWrite1h { get; init; }

    public decimal? Reasoning { get; init; }

    public decimal? AudioInput { get; init; }

    public decimal? AudioOutput { get; init; }

    public decimal? Image { get; init; }

    public decimal? AudioMinute { get; init; }

    public decimal? MillionCharacters { get; init; }

    public decimal? PerRequest { get; init; }

    public IReadOnlyDictionary<string, decimal>? Tools { get; init; }

    public DeclaredLongContext? LongContext { get; init; }

    /// <summary>As it will be frozen. Only for a rate without issues.</summary>
    public PriceRate ToRate() => new(Tier!, Unit!, Input!.Value, Output, CachedInput)
    {
        CacheWrite = CacheWrite,
        CacheWrite1h = CacheWrite1h,
        Reasoning = Reasoning,
        AudioInput = AudioInput,
        AudioOutput = AudioOutput,
        Image = Image,
        AudioMinute = AudioMinute,
        MillionCharacters = MillionCharacters,
        PerRequest = PerRequest,
        Tools = Tools,
        LongContext = LongContext is { } longer
            ? new LongContextRate(longer.AboveInputTokens!.Value, longer.Input!.Value, longer.Output, longer.CachedInput, longer.CacheWrite, longer.CacheWrite1h)
            : null,
    };
}

/// <summary>The rate of long calls as declared.</summary>
internal sealed record DeclaredLongContext(Node At, int? AboveInputTokens, decimal? Input, decimal? Output, decimal? CachedInput, decimal? CacheWrite, decimal? CacheWrite1h);
