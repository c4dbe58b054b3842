# Someone who wants vectors from a text on a server: a log instead of a terminal, a job that may be killed.
set -e
python -c "
import pydoc_data.topics as docs
for text in docs.topics.values(): print(text)" > manual.txt

# The options of another trainer are answered with ours.
if fastw2v train -train manual.txt -size 50 2> advice; then exit 1; fi
grep -q 'Did you mean' advice

fastw2v train manual.txt -o raw.txt --epochs 5 2> log
grep -q 'hint: .* --strip-punctuation' log
grep -q 'next: fastw2v similar raw.txt' log

fastw2v vocab manual.txt --lower --strip-punctuation | head -3
fastw2v phrases manual.txt -o phrases.txt --lower --strip-punctuation --connector-words english
job="fastw2v train phrases.txt -o vecs.txt --epochs 20 --held-out-share 0.05 --checkpoint ckpt --resume"
$job
$job 2> again # a job script that starts once more
grep -q 'is complete, and vecs.txt is there: nothing to do' again

fastw2v similar vecs.txt exception -n 3
printf 'list\nnosuchword\ntuple dict\n' | fastw2v similar ckpt/ -n 2 2> unknown
grep -q 'nosuchword' unknown
printf 'list\n' | fastw2v similar vecs.txt -n 2 --json
fastw2v info ckpt/
fastw2v convert vecs.txt model --to model2vec
fastw2v convert vecs.txt vecs.safetensors
if fastw2v convert vecs.txt vecs.parquet 2> refused; then exit 1; fi
grep -q 'files that end in .parquet are not written' refused
mkdir corpus && cp manual.txt vecs.txt corpus/
if fastw2v train corpus -o v.txt 2> refused; then exit 1; fi
grep -q 'begins like a file of vectors' refused
